#include "run.h"

#include <ns3/realtime-simulator-impl.h>
#include <ns3/simulator.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

namespace
{

constexpr std::uint16_t kReadyPort = 57832;

sigset_t
EndingSignals()
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

/// Nobody accepts: the kernel completes connections, which is all that endpoints look for.
void
OpenReadyPort()
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kReadyPort);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(fd, SOMAXCONN) != 0)
    {
        throw std::system_error(errno, std::generic_category(), "TCP port 57832");
    }
}

} // namespace

void
StopOnSignal()
{
    const sigset_t signals = EndingSignals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr); // inherited by all threads to come
}

void
RunEventLoop(ns3::Time longest, Report& report)
{
    std::thread([] {
        const sigset_t signals = EndingSignals();
        int signal = 0;
        sigwait(&signals, &signal);
        // The one call that ns-3's real-time loop takes from other threads.
        ns3::Simulator::ScheduleWithContext(ns3::Simulator::NO_CONTEXT, ns3::Time(0), [] {
            ns3::Simulator::Stop();
        });
    }).detach();
    // Devices start at time 0, by an event of an event; the port comes after them.
    ns3::Simulator::Schedule(ns3::MilliSeconds(1), [&report] {
        const auto loop = ns3::DynamicCast<ns3::RealtimeSimulatorImpl>(ns3::Simulator::GetImplementation());
        report.Started(loop->RealtimeNow().GetSeconds());
        OpenReadyPort();
    });
    ns3::Simulator::Stop(longest);
    ns3::Simulator::Run();
}
