#include "poise/audit/audit.hpp"

int main(int argc, char** argv) {
  return poise::audit_main(argc, argv);
}
