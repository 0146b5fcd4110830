// Harness of one simulated device, compiled together with the RTL: the model that Verilator made,
// the other end of its pins, and the loops around them. A call from Python simulates many cycles.
//
// SPIKETWIN_PINS chooses the level: the UART's two pins, or the bytes behind the UART. Where
// Verilator was asked for waves (VM_TRACE), all signals can be written to a VCD file for a while.
// SPIKETWIN_RESET is defined if there is a reset; without one, registers have their initial values.
// SPIKETWIN_START_CYCLES is defined if the design has the logic of a board, which keeps the core
// still for a while; what passes before the core runs is not counted.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "Vcore.h"

#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

class ByteQueue {
public:
    bool empty() const { return first_ == bytes_.size(); }
    size_t size() const { return bytes_.size() - first_; }
    uint8_t front() const { return bytes_[first_]; }
    uint8_t back() const { return bytes_.back(); }
    void push(uint8_t byte) { bytes_.push_back(byte); }
    void push(const uint8_t* data, size_t count) { bytes_.insert(bytes_.end(), data, data + count); }

    void pop(size_t count = 1) {
        first_ += count;
        if (empty()) {
            bytes_.clear();
            first_ = 0;
        }
    }

    size_t pop_into(uint8_t* data, size_t count) {
        count = std::min(count, size());
        std::copy_n(bytes_.data() + first_, count, data);
        pop(count);
        return count;
    }

private:
    std::vector<uint8_t> bytes_;
    size_t first_ = 0;
};

#ifdef SPIKETWIN_PINS

constexpr unsigned kFrameBits = 10;  // start bit, eight data bits, stop bit

// The host's end of the UART's two wires: 8N1, bytes back to back.
class Wires {
public:
    explicit Wires(unsigned cycles_per_bit) : cycles_per_bit_(cycles_per_bit) {}

    // Takes effect at the next byte in each direction.
    void set_cycles_per_bit(unsigned cycles_per_bit) { cycles_per_bit_ = cycles_per_bit; }

    void drive(Vcore& top, ByteQueue& input) {
        if (sending_left_ == 0) {
            if (input.empty()) {
                top.rx = 1;
                return;
            }
            sending_ = 1u << (kFrameBits - 1) | unsigned{input.front()} << 1;
            input.pop();
            send_cycles_per_bit_ = cycles_per_bit_;
            sending_left_ = kFrameBits * send_cycles_per_bit_;
        }
        --sending_left_;
        const unsigned bit = kFrameBits - 1 - sending_left_ / send_cycles_per_bit_;
        top.rx = sending_ >> bit & 1;
    }

    // Returns whether a byte is arriving.
    bool sample(const Vcore& top, ByteQueue&, ByteQueue& output) {
        if (!receiving_) {
            if (top.tx) return false;
            receiving_ = true;
            received_ = 0;
            received_bits_ = 0;
            receive_cycles_per_bit_ = cycles_per_bit_;
            until_sample_ = receive_cycles_per_bit_ / 2;
        }
        if (until_sample_-- > 0) return true;
        until_sample_ = receive_cycles_per_bit_ - 1;
        received_ |= unsigned{top.tx} << received_bits_;
        if (++received_bits_ == kFrameBits) {
            receiving_ = false;
            const bool framed = (received_ & 1) == 0 && received_ >> (kFrameBits - 1) == 1;
            if (framed) output.push(static_cast<uint8_t>(received_ >> 1));
        }
        return true;
    }

    // Returns the cycles without a byte after which a burst is over.
    unsigned gap() const { return 2 * cycles_per_bit_; }

    // Returns whether this byte, a zero that ends a frame, also ends a burst, even if another frame
    // follows: a host at a line reads an answer as soon as it is complete.
    bool ends(uint8_t byte) const { return byte == 0; }

private:
    unsigned cycles_per_bit_;
    unsigned sending_ = 0;
    unsigned sending_left_ = 0;
    unsigned send_cycles_per_bit_ = 1;
    bool receiving_ = false;
    unsigned received_ = 0;
    unsigned received_bits_ = 0;
    unsigned until_sample_ = 0;
    unsigned receive_cycles_per_bit_ = 1;
};

#else

// The two byte streams behind the UART. A byte stays offered until the device takes it.
class Wires {
public:
    explicit Wires(unsigned) {}

    // Does nothing: there are no bits at this level.
    void set_cycles_per_bit(unsigned) {}

    void drive(Vcore& top, ByteQueue& input) {
        top.tx_ready = 1;
        top.rx_valid = !input.empty();
        if (top.rx_valid) top.rx_data = input.front();
    }

    bool sample(const Vcore& top, ByteQueue& input, ByteQueue& output) {
        if (top.rx_valid && top.rx_ready) input.pop();
        if (!top.tx_valid) return false;
        output.push(top.tx_data);
        return true;
    }

    // The device sends a byte about every ten cycles while it reads its memories.
    unsigned gap() const { return 24; }

    bool ends(uint8_t) const { return false; }
};

#endif

class Device {
public:
    // `seed` is that of what memories hold at power-up, where the design leaves it open; 0 for zeros.
    Device(unsigned cycles_per_bit, int seed)
        : top_(std::make_unique<Vcore>(prepared(context_, seed))), wires_(cycles_per_bit) {
        // Both ends of the link are at rest while the core is in reset, if it has one.
        ByteQueue nothing;
        wires_.drive(*top_, nothing);
#ifdef SPIKETWIN_RESET
        top_->rst = 1;
        for (unsigned cycle = 0; cycle < kResetCycles; ++cycle) toggle();
        top_->rst = 0;
#endif
#ifdef SPIKETWIN_START_CYCLES
        for (unsigned cycle = 0; cycle < SPIKETWIN_START_CYCLES; ++cycle) toggle();
#endif
    }

    ~Device() {
#if VM_TRACE
        close_waves();
#endif
        top_->final();
    }

    void run(uint64_t cycles) {
        while (cycles-- > 0) step();
    }

    // Runs until `wanted` bytes are there, or fewer and no more follow, or `cycles` are over.
    void run_for_output(uint64_t cycles, size_t wanted) {
        unsigned quiet = 0;
        while (cycles-- > 0) {
            const bool active = step();
            const bool begins = active && quiet > 0;
            quiet = active ? 0 : quiet + 1;
            if (output.empty()) continue;
            if (output.size() >= wanted || quiet >= wires_.gap() ||
                (begins && wires_.ends(output.back()))) {
                return;
            }
        }
    }

    // Toggles the clock and does nothing else: the baseline for the speed of a harness.
    void run_bare(uint64_t cycles) {
        ByteQueue nothing;
        wires_.drive(*top_, nothing);
        for (uint64_t cycle = 0; cycle < cycles; ++cycle) toggle();
        cycles_ += cycles;
    }

    void set_cycles_per_bit(unsigned cycles_per_bit) { wires_.set_cycles_per_bit(cycles_per_bit); }

    uint64_t cycles() const { return cycles_; }

#if VM_TRACE
    void open_waves(const char* path) {
        close_waves();
        waves_ = std::make_unique<VerilatedVcdC>();
        top_->trace(waves_.get(), kAllLevels);
        waves_->open(path);
    }

    void close_waves() {
        if (waves_) waves_->close();
        waves_.reset();
    }
#endif

    ByteQueue input;
    ByteQueue output;

private:
    static constexpr int kZeros = 0, kRandom = 2;
#ifdef SPIKETWIN_RESET
    static constexpr unsigned kResetCycles = 4;
#endif

    // Tracing must be enabled, and the seed be known, before the model is made.
    static VerilatedContext* prepared(VerilatedContext& context, int seed) {
        context.randReset(seed ? kRandom : kZeros);
        context.randSeed(seed);
#if VM_TRACE
        context.traceEverOn(true);
#endif
        return &context;
    }

    void toggle() {
        half(0);
        half(1);
    }

    void half(unsigned clk) {
        top_->clk = clk;
        top_->eval();
#if VM_TRACE
        if (waves_) waves_->dump(2 * cycles_ + clk);
#endif
    }

    bool step() {
        // Inputs change with the falling edge, so that two evaluations make a cycle.
        wires_.drive(*top_, input);
        half(0);
        const bool active = wires_.sample(*top_, input, output);
        half(1);
        ++cycles_;
        return active;
    }

    VerilatedContext context_;
    std::unique_ptr<Vcore> top_;
    Wires wires_;
    uint64_t cycles_ = 0;
#if VM_TRACE
    static constexpr int kAllLevels = 99;
    std::unique_ptr<VerilatedVcdC> waves_;
#endif
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Device* spiketwin_new(unsigned cycles_per_bit, int seed) {
    return new Device(cycles_per_bit, seed);
}

EXPORT void spiketwin_delete(Device* device) { delete device; }

EXPORT void spiketwin_write(Device* device, const uint8_t* data, size_t count) {
    device->input.push(data, count);
}

EXPORT size_t spiketwin_read(Device* device, uint64_t cycles, uint8_t* data, size_t count) {
    if (device->output.empty()) device->run_for_output(cycles, count);
    return device->output.pop_into(data, count);
}

EXPORT void spiketwin_run(Device* device, uint64_t cycles) { device->run(cycles); }

EXPORT double spiketwin_run_bare(Device* device, uint64_t cycles) {
    const auto begin = std::chrono::steady_clock::now();
    device->run_bare(cycles);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

EXPORT uint64_t spiketwin_cycles(const Device* device) { return device->cycles(); }

EXPORT size_t spiketwin_unsent(const Device* device) { return device->input.size(); }

EXPORT void spiketwin_set_cycles_per_bit(Device* device, unsigned cycles_per_bit) {
    device->set_cycles_per_bit(cycles_per_bit);
}

#if VM_TRACE
EXPORT void spiketwin_open_waves(Device* device, const char* path) { device->open_waves(path); }

EXPORT void spiketwin_close_waves(Device* device) { device->close_waves(); }
#endif
