#include "poise/spectrum/spectrum_main.hpp"

int main(int argc, char** argv) {
  return poise::spectrum_main(argc, argv);
}
