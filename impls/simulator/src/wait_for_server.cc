// wait-for-server HOST:PORT: returns as soon as a QUIC server answers there, fails after 10 s.
//
// A datagram with a version nobody speaks makes every QUIC server answer with Version Negotiation, without any state
// left behind (RFC 9000, 6.1).

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace
{

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(10);
constexpr auto kShortest = std::chrono::milliseconds(20);
constexpr auto kLongest = std::chrono::milliseconds(500);

/// How long to wait for an answer before asking again: most servers are there within a tenth of a second, some take
/// seconds, and none gets many questions.
Clock::duration
Interval(Clock::duration waited)
{
    return std::clamp<Clock::duration>(waited / 2, kShortest, kLongest);
}

/// Long header, version "WAIT", two empty connection IDs; as long as a first datagram must be (RFC 9000, 14.1).
std::vector<std::uint8_t>
Probe()
{
    std::vector<std::uint8_t> probe{0xc0, 'W', 'A', 'I', 'T', 0, 0};
    probe.resize(probe.size() + 1200);
    return probe;
}

bool
IsVersionNegotiation(const std::uint8_t* bytes, ssize_t size)
{
    return size >= 5 && std::all_of(bytes + 1, bytes + 5, [](std::uint8_t byte) { return byte == 0; });
}

int
Connected(const std::string& host, const std::string& port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    {
        std::cerr << "wait-for-server: " << host << ": " << gai_strerror(error) << std::endl;
        return -1;
    }
    const int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int result = connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (result != 0)
    {
        perror("wait-for-server: connect");
        return -1;
    }
    return fd;
}

} // namespace

int
main(int argc, char** argv)
{
    const std::string target = argc > 1 ? argv[1] : "";
    const auto colon = target.rfind(':');
    if (colon == std::string::npos)
    {
        std::cerr << "wait-for-server: expected HOST:PORT, not '" << target << "'" << std::endl;
        return 1;
    }
    const int fd = Connected(target.substr(0, colon), target.substr(colon + 1));
    if (fd < 0)
    {
        return 1;
    }
    const auto probe = Probe();
    const auto start = Clock::now();
    const auto end = start + kPatience;
    for (auto asked = start; asked < end; asked = Clock::now())
    {
        // May report that nobody listened to the one before; the next may be in time.
        static_cast<void>(send(fd, probe.data(), probe.size(), 0));
        const auto until = std::min(asked + Interval(asked - start), end);
        for (auto now = Clock::now(); now < until; now = Clock::now())
        {
            pollfd event{fd, POLLIN, 0};
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - now).count() + 1;
            if (poll(&event, 1, static_cast<int>(left)) != 1)
            {
                break;
            }
            std::uint8_t answer[2048];
            const ssize_t size = recv(fd, answer, sizeof answer, 0);
            if (size < 0)
            {
                continue; // the port is closed, as an ICMP message says
            }
            if (IsVersionNegotiation(answer, size))
            {
                return 0;
            }
            std::cerr << "wait-for-server: " << target << " answered, but not with Version Negotiation" << std::endl;
            return 1;
        }
    }
    std::cerr << "wait-for-server: no answer from " << target << " within 10 s" << std::endl;
    return 1;
}
