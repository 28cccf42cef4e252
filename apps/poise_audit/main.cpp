#include "poise/audit/audit_main.hpp"

int main(int argc, char** argv) {
  return poise::audit_main(argc, argv);
}
