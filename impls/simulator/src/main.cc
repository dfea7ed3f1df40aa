// simulator SCENARIO --delay=15ms --bandwidth=10Mbps --queue=25 [--seed=N] [the scenario's own options]

#include "options.h"
#include "run.h"
#include "scenario.h"

#include <ns3/boolean.h>
#include <ns3/global-value.h>
#include <ns3/rng-seed-manager.h>
#include <ns3/string.h>

#include <iostream>
#include <random>

namespace
{

constexpr const char* kReportFile = "/logs/simulator.json";
constexpr std::uint32_t kLargestSeed = 2147483647;
const ns3::Time kLongestRun = ns3::Seconds(36000);

std::string
Joined(int argc, char** argv)
{
    std::string text;
    for (int i = 1; i < argc; i++)
    {
        text += (i == 1 ? "" : " ") + std::string(argv[i]);
    }
    return text;
}

/// --seed=N, or what ns-3's own options have set, or one chosen here so that it can be told and used again.
///
/// It is ns-3's *run number*, the same as --RngRun=N: ns-3's generator has a seed besides, which stays as it is unless
/// --RngSeed is given. Runs are independent of each other, and zero is one like any other; of two neighbouring seeds,
/// 1 and 2, the losses of drop-rate were visibly alike.
void
Seed(const std::string& option, const std::string& commandLine)
{
    if (!option.empty())
    {
        ns3::RngSeedManager::SetRun(ToNumber("seed", option, 0, kLargestSeed));
    }
    else if (commandLine.find("--Rng") == std::string::npos)
    {
        std::random_device device;
        ns3::RngSeedManager::SetRun(std::uniform_int_distribution<std::uint32_t>(0, kLargestSeed)(device));
    }
}

void
Simulate(int argc, char** argv)
{
    const std::string name = argc > 1 ? argv[1] : "";
    const auto found = Scenarios().find(name);
    if (found == Scenarios().end())
    {
        std::string known;
        for (const auto& it : Scenarios())
        {
            known += (known.empty() ? "" : ", ") + it.first;
        }
        throw UsageError(name.empty() ? "no scenario is given: SCENARIO is one of " + known
                                      : "unknown scenario " + name + ": expected one of " + known);
    }
    const auto scenario = found->second();
    std::string delay;
    std::string bandwidth;
    std::string queue;
    std::string seed;
    ns3::CommandLine line(name);
    line.Usage("One scenario of the network simulator, in real time, between eth0 and eth1.");
    line.AddValue("delay", "one-way delay of the link, such as 15ms", delay);
    line.AddValue("bandwidth", "rate of the link in each direction, such as 10Mbps", bandwidth);
    line.AddValue("queue", "packets that may wait at each end of the link", queue);
    line.AddValue("seed", "makes everything random repeatable; default: chosen and printed", seed);
    scenario->AddOptions(line);
    line.Parse(argc - 1, argv + 1); // ends the process with a message where an option is unknown
    const LinkOptions link{ToTime("delay", delay),
                           ToDataRate("bandwidth", bandwidth),
                           static_cast<std::uint32_t>(ToNumber("queue", queue, 1, 1'000'000))};
    scenario->Check();
    Seed(seed, Joined(argc, argv));

    const std::string usedSeed = std::to_string(ns3::RngSeedManager::GetRun());
    std::cout << "scenario: " << Joined(argc, argv) << "\nseed: " << usedSeed << std::endl;
    Report report(kReportFile, {{"scenario", Quoted(Joined(argc, argv))}, {"seed", usedSeed}});

    ns3::GlobalValue::Bind("SimulatorImplementationType", ns3::StringValue("ns3::RealtimeSimulatorImpl"));
    ns3::GlobalValue::Bind("ChecksumEnabled", ns3::BooleanValue(true));
    Network network(link, report);
    scenario->Apply(network, report);
    RunEventLoop(kLongestRun, report);
    network.CollectQueueCounters();
    report.Finished();
}

} // namespace

int
main(int argc, char** argv)
{
    StopOnSignal();
    try
    {
        Simulate(argc, argv);
    }
    catch (const UsageError& error)
    {
        std::cerr << "simulator: " << error.what() << std::endl;
        return 2;
    }
    catch (const std::exception& error)
    {
        std::cerr << "simulator: " << error.what() << std::endl;
        return 1;
    }
    // Not through Simulator::Destroy(): there is nothing to hand back but memory, and the container has 2 s to end.
    std::_Exit(0);
}
