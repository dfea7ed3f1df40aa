#include "options.h"
#include "scenario.h"

#include <ns3/simulator.h>

namespace
{

/// blackhole: everything passes for `on`, nothing for `off`; so `repeat` times, then everything for ever.
class Blackhole : public Scenario
{
    void AddOptions(ns3::CommandLine& line) override
    {
        line.AddValue("on", "how long packets pass, such as 5s", m_on);
        line.AddValue("off", "how long they are lost after that", m_off);
        line.AddValue("repeat", "how often this happens", m_repeat);
        line.AddValue("direction", "both, toclient or toserver", m_direction);
    }

    void Check() override
    {
        ToTime("on", m_on);
        ToTime("off", m_off);
        ToNumber("repeat", m_repeat, 0, 1'000'000);
        if (m_direction != "both" && m_direction != "toclient" && m_direction != "toserver")
        {
            throw UsageError("--direction=" + m_direction + ": expected both, toclient or toserver");
        }
    }

    void Apply(Network& network, Report& report) override
    {
        for (const Direction direction : kDirections)
        {
            const auto name = direction == Direction::kToClient ? "toclient" : "toserver";
            if (m_direction == "both" || m_direction == name)
            {
                network.Impair(direction, [this](IpPacket&, Counters&) { return m_dark ? Fate::kDrop : Fate::kPass; });
            }
        }
        const ns3::Time on = ToTime("on", m_on);
        const ns3::Time off = ToTime("off", m_off);
        const std::uint64_t repeat = ToNumber("repeat", m_repeat, 0, 1'000'000);
        for (std::uint64_t cycle = 0; cycle < repeat; cycle++)
        {
            const ns3::Time begin = on + static_cast<std::int64_t>(cycle) * (on + off);
            ns3::Simulator::Schedule(begin, [this, &report] { Switch(report, true); });
            ns3::Simulator::Schedule(begin + off, [this, &report] { Switch(report, false); });
        }
    }

    void Switch(Report& report, bool dark)
    {
        m_dark = dark;
        report.Event(dark ? "off" : "on",
                     dark ? "packets are lost from now on" : "packets pass again",
                     {{"direction", Quoted(m_direction)}});
    }

    std::string m_on;
    std::string m_off;
    std::string m_repeat{"1"};
    std::string m_direction{"both"};
    bool m_dark{false};
};

} // namespace

std::unique_ptr<Scenario>
MakeBlackhole()
{
    return std::make_unique<Blackhole>();
}
