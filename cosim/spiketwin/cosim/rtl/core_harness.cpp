// Harness of the core alone, compiled together with the RTL. It drives the core's ports a whole
// request at a time, so that no Python runs per cycle, element, event or word.
//
// The queues are the core's own, and so is the back-pressure of the output words. At a fixed tick
// period the core's tick timer is stopped except while the core is to run: the cycles of a request
// do not count for the ticks, and no tick begins unless there is room for its words.
//
// "ports.h", written by the build, lists the ports that are reported (SPIKETWIN_STATUS), and the
// places of signals inside the core that no port shows (SPIKETWIN_SLACK and others).

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "Vcore.h"
#include "Vcore___024root.h"
#include "ports.h"

namespace {

class Core {
public:
    // The values of the ports SPIKETWIN_STATUS are written to `status`, in order, after every call.
    // `seed` is that of what memories hold at power-up, where the design leaves it open; 0 for zeros.
    Core(uint64_t* status, int seed)
        : top_(std::make_unique<Vcore>(prepared(context_, seed))), status_(status) {
        rest();
        await_idle();  // a core with single-port memories clears them first
        show();
    }

    ~Core() {
        // Verilator destroys the model in the current context of this thread, which by now may be
        // that of another model, even a deleted one.
        Verilated::threadContextp(&context_);
        top_->final();
    }

    // Toggles the clock and does nothing else: the baseline for the speed of a harness. At a fixed
    // tick period the ticks of a run go on, whether or not there is room for their words.
    void run_bare(uint64_t cycles) {
        release();
        for (uint64_t cycle = 0; cycle < cycles; ++cycle) toggle();
        cycles_ += cycles;
    }

    // Reads elements in row-major order, `columns` to a row; `first` is a flat index.
    void read(unsigned space, size_t first, size_t columns, size_t count, int32_t* values) {
        access(space, first, columns, count, nullptr, values);
    }

    void write(unsigned space, size_t first, size_t columns, size_t count, const int32_t* values) {
        release();  // the registers written may include the tick period
        access(space, first, columns, count, values, nullptr);
        hold();
        show();
    }

    void clear(unsigned mask) {
        top_->clear_mask = mask;
        top_->clear_stb = 1;
        step();
        top_->clear_stb = 0;
        await_idle();
        show();
    }

    void stop() {
        halt();
        resume_after_halt();
        show();
    }

    void reset(unsigned mask) {
        halt();
        held_ = false;  // a reset core has no tick period
        top_->reset_stb = 1;
        top_->clear_mask = mask;
        top_->clear_stb = 1;
        step();
        top_->reset_stb = 0;
        top_->clear_stb = 0;
        await_idle();
        resume_after_halt();
        show();
    }

    // Queues events, each as three words, the lowest first; the queue must have room for all.
    void queue(const uint32_t* words, size_t count) {
        for (size_t k = 0; k < count; ++k) {
            put(top_->events_payload, words + kEventWords * k);
            top_->events_valid = 1;
            await([&] { return top_->events_ready; });
        }
        top_->events_valid = 0;
        // At a fixed tick period, late events are dropped one after the other.
        if (held_) steps(kEventCycles * (count + 1));
        show();
    }

    void run_to(uint32_t tick) {
        top_->run_until = tick;
        show();
    }

    // The core is at rest.
    void set_tick(uint32_t tick) {
        top_->set_tick = tick;
        top_->run_until = tick;
        top_->set_tick_stb = 1;
        step();
        top_->set_tick_stb = 0;
        steps(kFollowingCycles);
        show();
    }

    // Returns whether the run is over, or there is no room for the words of another tick.
    bool advance(uint64_t cycles) {
        const bool settled = settle_within(cycles);
        show();
        return settled;
    }

    size_t take(uint32_t* words, size_t count) {
        count = std::min<size_t>(count, top_->word_level);
        top_->words_ready = 1;
        for (size_t k = 0; k < count;) {
            step([&] {
                if (top_->words_valid) words[k++] = top_->words_payload;
            });
        }
        top_->words_ready = 0;
        show();
        return count;
    }

    // Makes the core as late as it can be; has no effect until a tick has begun since the tick
    // period was written.
    void fall_behind() {
        if (!held_ || !SPIKETWIN_ON_GRID) return;
        slack_ = kMostLate;
        late_ = 1;
    }

    uint64_t cycles() const { return cycles_; }

private:
    static constexpr int kZeros = 0, kRandom = 2;
    static constexpr unsigned kEventWords = 3;
    static constexpr unsigned kSlackBits = 40;
    static constexpr uint64_t kMostLate = uint64_t{1} << (kSlackBits - 1);
    static constexpr uint64_t kNeverDue = (uint64_t{1} << (kSlackBits - 2)) - 1;
    // Cycles after which all words of a tick, its digest included, are in the queue, and events
    // have been looked at.
    static constexpr unsigned kSettlingCycles = 12;
    // Cycles after which the core has responded to `run_until` or `stop`.
    static constexpr unsigned kFollowingCycles = 4;
    // Cycles after which a late event has been dropped.
    static constexpr unsigned kEventCycles = 8;

    // The seed must be known before the model is made.
    static VerilatedContext* prepared(VerilatedContext& context, int seed) {
        context.randReset(seed ? kRandom : kZeros);
        context.randSeed(seed);
        return &context;
    }

    // An event of at most 64 bits is a number, a wider one an array of words.
    static void put(uint64_t& port, const uint32_t* words) {
        port = uint64_t{words[1]} << 32 | words[0];
    }

    template <size_t N>
    static void put(VlWide<N>& port, const uint32_t* words) {
        std::copy(words, words + N, &port[0]);
    }

    // Inputs are at rest at power-up, whatever else holds anything.
    void rest() {
        top_->memory_valid = 0;
        top_->clear_stb = 0;
        top_->reset_stb = 0;
        top_->set_tick_stb = 0;
        top_->run_until = 0;
        top_->stop = 0;
        top_->events_valid = 0;
        top_->words_ready = 0;
    }

    void toggle() {
        half(0);
        half(1);
    }

    void half(unsigned clk) {
        top_->clk = clk;
        top_->eval();
    }

    void step() {
        step([] {});
    }

    // Simulates a cycle; `look` is called before the edge that ends it.
    template <typename Look>
    void step(Look look) {
        // Inputs change with the falling edge, so that two evaluations make a cycle.
        half(0);
        look();
        const bool begins = SPIKETWIN_START_STB;
        const bool ends = SPIKETWIN_END_STB;
        half(1);
        ++cycles_;
        if (begins) {
            under_way_ = true;
            settled_ = false;
        }
        if (ends) under_way_ = false;
    }

    void steps(size_t count) {
        while (count-- > 0) step();
    }

    // Simulates up to and including the first cycle in which the condition holds.
    template <typename Condition>
    void await(Condition condition) {
        bool holds = false;
        while (!holds) step([&] { holds = condition(); });
    }

    void await_idle() {
        do steps(kFollowingCycles); while (!top_->idle);
    }

    // Writes the elements in `given`, or reads elements into `got`; the other one is null.
    void access(unsigned space, size_t first, size_t columns, size_t count, const int32_t* given,
                int32_t* got) {
        size_t row = first / columns, column = first % columns;
        top_->memory_space = space;
        top_->memory_write = given != nullptr;
        top_->memory_valid = 1;
        for (size_t k = 0; k < count; ++k) {
            top_->memory_row = row;
            top_->memory_column = column;
            if (given != nullptr) top_->memory_w_data = given[k];
            await([&] { return top_->memory_done; });
            if (got != nullptr) got[k] = top_->memory_r_data;
            if (++column == columns) {
                column = 0;
                ++row;
            }
        }
        top_->memory_valid = 0;
        steps(kFollowingCycles);  // the last write is still in the pipeline
    }

    // Stops the core and waits until it is at rest, its events dropped.
    void halt() {
        top_->stop = 1;
        await_idle();
    }

    void resume_after_halt() {
        top_->run_until = top_->tick;
        steps(kFollowingCycles);
        top_->stop = 0;
        steps(kFollowingCycles);
    }

    bool over() const { return top_->tick == top_->run_until; }

    bool stuck() const { return over() || !SPIKETWIN_ROOM; }

    bool settle_within(uint64_t cycles) {
        if (settled_) {
            if (stuck()) return true;
            steps(kFollowingCycles);
            release();
            settled_ = false;
        }
        for (unsigned waited = 0; cycles > 0; --cycles) {
            if (under_way_) {
                waited = 0;
            } else if (stuck()) {
                settled_ = true;
                hold();
                steps(kSettlingCycles);
                return true;
            } else if (++waited == kSettlingCycles) {
                skip_wait();
            }
            step();
        }
        return false;
    }

    // Skips the cycles until the next tick is due, in which the core only counts them.
    void skip_wait() {
        if (!top_->real_time || !SPIKETWIN_ON_GRID) return;
        const uint64_t slack = SPIKETWIN_SLACK;
        if (slack >> (kSlackBits - 1) || slack <= kFollowingCycles) return;
        SPIKETWIN_SLACK = kFollowingCycles;
        cycles_ += slack - kFollowingCycles;
    }

    // Stops the tick timer until `release`.
    void hold() {
        if (held_ || !top_->real_time) return;
        slack_ = SPIKETWIN_SLACK;
        late_ = SPIKETWIN_LATE;
        SPIKETWIN_SLACK = kNeverDue;
        held_ = true;
    }

    void release() {
        if (!held_) return;
        SPIKETWIN_SLACK = slack_;
        SPIKETWIN_LATE = late_;
        held_ = false;
    }

    void show() {
        uint64_t* next = status_;
#define SPIKETWIN_SHOW(port) *next++ = top_->port;
        SPIKETWIN_STATUS(SPIKETWIN_SHOW)
#undef SPIKETWIN_SHOW
    }

    VerilatedContext context_;
    std::unique_ptr<Vcore> top_;
    uint64_t* status_;
    uint64_t cycles_ = 0;
    // Whether a tick is under way, and whether the core is at rest until the next request.
    bool under_way_ = false;
    bool settled_ = true;
    // The state of the tick timer while it is stopped.
    bool held_ = false;
    uint64_t slack_ = 0;
    uint8_t late_ = 0;
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Core* spiketwin_new(uint64_t* status, int seed) { return new Core(status, seed); }

EXPORT void spiketwin_delete(Core* core) { delete core; }

EXPORT void spiketwin_read(Core* core, unsigned space, size_t first, size_t columns, size_t count,
                           int32_t* values) {
    core->read(space, first, columns, count, values);
}

EXPORT void spiketwin_write(Core* core, unsigned space, size_t first, size_t columns, size_t count,
                            const int32_t* values) {
    core->write(space, first, columns, count, values);
}

EXPORT void spiketwin_clear(Core* core, unsigned mask) { core->clear(mask); }

EXPORT void spiketwin_stop(Core* core) { core->stop(); }

EXPORT void spiketwin_reset(Core* core, unsigned mask) { core->reset(mask); }

EXPORT void spiketwin_queue(Core* core, const uint32_t* words, size_t count) {
    core->queue(words, count);
}

EXPORT void spiketwin_run_to(Core* core, uint32_t tick) { core->run_to(tick); }

EXPORT void spiketwin_set_tick(Core* core, uint32_t tick) { core->set_tick(tick); }

EXPORT int spiketwin_advance(Core* core, uint64_t cycles) { return core->advance(cycles); }

EXPORT size_t spiketwin_take(Core* core, uint32_t* words, size_t count) {
    return core->take(words, count);
}

EXPORT void spiketwin_fall_behind(Core* core) { core->fall_behind(); }

EXPORT uint64_t spiketwin_cycles(const Core* core) { return core->cycles(); }

EXPORT double spiketwin_run_bare(Core* core, uint64_t cycles) {
    const auto begin = std::chrono::steady_clock::now();
    core->run_bare(cycles);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}
