#include "poise/run/train.hpp"

int main(int argc, char** argv) {
  return poise::train_main(argc, argv);
}
