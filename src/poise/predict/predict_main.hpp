#pragma once

namespace poise {

/// The main of poise-predict: applies a trained network to new samples. A program that registers models,
/// losses or feature maps of its own calls it in place of the main of poise-predict.
int predict_main(int argc, char** argv);

}  // namespace poise
