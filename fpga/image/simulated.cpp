// The image's pins behind a pseudo-terminal: bytes that arrive there go bit by bit to rx, and what
// tx says goes back. Arguments: the terminal's file descriptor, clock cycles of a bit.

#include <cerrno>
#include <cstdlib>
#include <poll.h>
#include <sys/prctl.h>
#include <csignal>
#include <unistd.h>

#include "Vimage.h"

namespace {

constexpr unsigned frame_bits = 10;         // start, 8, stop
constexpr unsigned batch = 512;             // cycles between two looks at the terminal
constexpr unsigned restless = 1'000'000;     // cycles that the image goes on after the last byte

/// Drives rx.
struct Sender {
    unsigned divider, wait = 0, left = 0, bits = 1;

    bool busy() const { return left != 0; }

    void begin(unsigned char byte) {
        bits = (1u << 9) | (unsigned(byte) << 1);
        left = frame_bits;
        wait = divider;
    }

    bool level() const { return left == 0 || (bits & 1); }

    void clock() {
        if (left != 0 && --wait == 0) {
            bits >>= 1;
            --left;
            wait = divider;
        }
    }
};

/// Looks at tx, in the middle of each bit.
struct Listener {
    unsigned divider, wait = 0, left = 0, bits = 0;

    /// The byte that is complete in this cycle, or -1.
    int clock(bool level) {
        if (left == 0) {
            if (!level) {
                left = frame_bits - 1;
                wait = divider + divider / 2;
                bits = 0;
            }
            return -1;
        }
        if (--wait != 0)
            return -1;
        wait = divider;
        if (--left == 0)
            return level ? int(bits) : -1;
        bits = bits >> 1 | unsigned(level) << 7;
        return -1;
    }
};

bool write_all(int terminal, const unsigned char *data, size_t count) {
    while (count != 0) {
        const ssize_t done = write(terminal, data, count);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (done > 0) {
            data += done;
            count -= size_t(done);
        }
    }
    return true;
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);       // nobody else ends this program
    const int terminal = std::atoi(arguments[1]);
    const unsigned divider = unsigned(std::atoi(arguments[2]));
    VerilatedContext context;
    Vimage image{&context};
    Sender sender{divider};
    Listener listener{divider};
    auto clock = [&image] {
        image.clk = 0;
        image.eval();
        image.clk = 1;
        image.eval();
    };
    image.rx = 1;
    image.rst = 1;
    for (int cycle = 0; cycle < 8; ++cycle)
        clock();
    image.rst = 0;

    unsigned char in[4096], out[batch];
    size_t taken = 0, there = 0, idle = 0;
    for (;;) {
        if (taken == there) {
            pollfd wanted{terminal, POLLIN, 0};
            if (poll(&wanted, 1, idle > restless ? 50 : 0) > 0 && (wanted.revents & POLLIN)) {
                const ssize_t got = read(terminal, in, sizeof in);
                if (got <= 0)
                    return 0;               // the terminal is gone
                taken = 0;
                there = size_t(got);
            } else if (wanted.revents & (POLLERR | POLLNVAL)) {
                return 0;
            }
        }
        size_t made = 0;
        for (unsigned cycle = 0; cycle < batch; ++cycle) {
            if (!sender.busy() && taken != there) {
                sender.begin(in[taken++]);
                idle = 0;
            }
            image.rx = sender.level();
            clock();
            sender.clock();
            const int byte = listener.clock(image.tx);
            if (byte >= 0) {
                out[made++] = static_cast<unsigned char>(byte);
                idle = 0;
            }
            ++idle;
        }
        if (made != 0 && !write_all(terminal, out, made))
            return 0;
    }
}
