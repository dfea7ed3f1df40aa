#include "random_choice.h"
#include "scenario.h"

namespace
{

/// drop-rate: loses UDP datagrams at random.
class DropRate : public Scenario
{
    void AddOptions(ns3::CommandLine& line) override { m_options.Add(line, "lose"); }

    void Check() override
    {
        for (const Direction direction : kDirections)
        {
            m_options.For(direction);
        }
    }

    void Apply(Network& network, Report&) override
    {
        for (const Direction direction : kDirections)
        {
            network.Impair(direction,
                           [choice = m_options.For(direction)](IpPacket& packet, Counters& counters) mutable {
                               return packet.IsUdp() && choice.Selects(counters) ? Fate::kDrop : Fate::kPass;
                           });
        }
    }

    RandomChoiceOptions m_options;
};

} // namespace

std::unique_ptr<Scenario>
MakeDropRate()
{
    return std::make_unique<DropRate>();
}
