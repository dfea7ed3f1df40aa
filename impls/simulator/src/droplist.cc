#include "options.h"
#include "scenario.h"

namespace
{

/// droplist: loses the datagrams with the given numbers. Counted are UDP datagrams, from 1, by direction.
class DropList : public Scenario
{
    void AddOptions(ns3::CommandLine& line) override
    {
        line.AddValue("drops_to_client", "numbers of the UDP datagrams to lose, such as 1,3", m_toClient);
        line.AddValue("drops_to_server", "the same for the other direction", m_toServer);
    }

    void Check() override
    {
        ToNumbers("drops_to_client", m_toClient);
        ToNumbers("drops_to_server", m_toServer);
    }

    void Apply(Network& network, Report&) override
    {
        network.Impair(Direction::kToClient, Losing(ToNumbers("drops_to_client", m_toClient)));
        network.Impair(Direction::kToServer, Losing(ToNumbers("drops_to_server", m_toServer)));
    }

    static Rule Losing(std::set<std::uint64_t> numbers)
    {
        return [numbers = std::move(numbers)](IpPacket& packet, Counters& counters) {
            if (!packet.IsUdp() || numbers.count(counters.udp) == 0)
            {
                return Fate::kPass;
            }
            counters.selected.push_back(counters.udp);
            return Fate::kDrop;
        };
    }

    std::string m_toClient;
    std::string m_toServer;
};

} // namespace

std::unique_ptr<Scenario>
MakeDropList()
{
    return std::make_unique<DropList>();
}
