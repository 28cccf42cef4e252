#include "poise/predict/predict_main.hpp"

int main(int argc, char** argv) {
  return poise::predict_main(argc, argv);
}
