// Writes what a model has covered to a file when the model ends; the Verilog asks for it.

#include <cstdlib>
#include <string>

#include "verilated.h"
#include "verilated_cov.h"

static std::string folder;
static int models = 0;

extern "C" void spiketwin_covered() {
    if (folder.empty()) return;
    const std::string file = folder + "/" + std::to_string(models++) + ".dat";
    Verilated::threadContextp()->coveragep()->write(file.c_str());
}

extern "C" __attribute__((visibility("default"))) void spiketwin_record(const char* into) {
    folder = into;
}
