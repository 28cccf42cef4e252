#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "poise/model/pointwise.hpp"

namespace poise {

// A case of test_models.cpp is a class with
//   Map: the model's type; it has certificate()
//   blocks(m), features(m): its parameter blocks and the rows of its features at state width m
//   make(layout): the model
//   scale: of the parameters, as ParameterLayout::initialise takes it
//   name: of its tests

struct SoftmaxLinearAt90 {
  using Map = SoftmaxLinear;
  static std::vector<ParameterBlock> blocks(Index m) { return {{.name = "A", .columns = m}}; }
  static Index features(Index m) { return m; }
  static Map make(const ParameterLayout& layout) { return {layout, 0.9}; }
  static constexpr double scale = 1.5;
  static std::string name() { return "SoftmaxLinearAt90"; }
};

/// What a pointwise model adds to W: nothing, b, V or both. With V, the number of features differs from the
/// number of states.
enum class Input { plain, bias, weights, weights_and_bias };

/// A pointwise model; `gamma_percent`: 100 γ, or 100 μ; `scale_percent`: 100 times the scale.
template <Activation activation, WeightKind kind, Input input, int gamma_percent, int scale_percent = 100>
struct PointwiseCase {
  using Map = Pointwise;
  static constexpr bool has_weights = input == Input::weights || input == Input::weights_and_bias;
  static constexpr bool has_bias = input == Input::bias || input == Input::weights_and_bias;
  static constexpr double scale = scale_percent / 100.0;
  static Index features(Index m) { return has_weights ? m + 3 : m; }
  static Pointwise::Shape shape(Index m) {
    return {.activation = activation,
            .weights = kind,
            .gamma = gamma_percent / 100.0,
            .input_weights = has_weights,
            .bias = has_bias,
            .features = features(m)};
  }
  static std::vector<ParameterBlock> blocks(Index m) { return Pointwise::blocks(shape(m), m); }
  static Map make(const ParameterLayout& layout) { return {layout, shape(layout.width())}; }
  static std::string name() {
    return to_string(activation) + "_" + to_string(kind) + (has_weights ? "_V" : "") + (has_bias ? "_b" : "");
  }
};

using Act = Activation;
using Kind = WeightKind;

/// To test a new model, add one line here.
using Models =
    testing::Types<SoftmaxLinearAt90,                                                               //
                   PointwiseCase<Act::identity, Kind::spectral, Input::weights_and_bias, 90, 300>,  //
                   PointwiseCase<Act::identity, Kind::monotone, Input::plain, 30>,                  //
                   PointwiseCase<Act::tanh, Kind::softmax, Input::plain, 90>,                       //
                   PointwiseCase<Act::tanh, Kind::spectral, Input::weights, 80, 200>,               //
                   PointwiseCase<Act::relu, Kind::softmax, Input::weights_and_bias, 80>,            //
                   PointwiseCase<Act::relu, Kind::monotone, Input::weights_and_bias, 30>,           //
                   PointwiseCase<Act::leaky_relu, Kind::spectral, Input::bias, 70, 150>,            //
                   PointwiseCase<Act::softplus, Kind::free, Input::weights, 60, 60>,                //
                   PointwiseCase<Act::softplus, Kind::monotone, Input::bias, 50>,                   //
                   PointwiseCase<Act::sigmoid, Kind::free, Input::weights_and_bias, 60, 60>,        //
                   PointwiseCase<Act::tanh, Kind::monotone, Input::weights_and_bias, 20, 150>>;

struct ModelNames {
  template <class Model>
  static std::string GetName(int) {
    return Model::name();
  }
};

}  // namespace poise
