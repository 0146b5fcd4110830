// The mutant that is alive in the models made from now on: 0 for none. The Verilog asks for it when
// a model begins.

static int chosen = 0;

extern "C" int spiketwin_mutant() { return chosen; }

extern "C" __attribute__((visibility("default"))) void spiketwin_choose(int number) {
    chosen = number;
}
