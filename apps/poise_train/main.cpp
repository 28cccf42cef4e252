#include "poise/run/train_main.hpp"

int main(int argc, char** argv) {
  return poise::train_main(argc, argv);
}
