#include "nat.h"

#include <utility>

Nat::Nat(Address client, Address server)
    : m_client(std::move(client)),
      m_server(std::move(server)),
      m_external(m_client)
{
}

bool
Nat::Outward(IpPacket& packet, const Draw& draw)
{
    if (packet.Source() != m_client)
    {
        return false;
    }
    const auto [flow, isNew] = m_outward.try_emplace(packet.SourcePort(), packet.SourcePort());
    if (isNew)
    {
        // A new flow keeps its port, unless another flow has been given it before.
        if (m_used.count(flow->second) != 0)
        {
            flow->second = UnusedPort(draw);
        }
        m_used.insert(flow->second);
        m_inward[flow->second] = flow->first;
    }
    packet.SetSourcePort(flow->second);
    packet.SetSource(m_external);
    return true;
}

bool
Nat::Inward(IpPacket& packet) const
{
    const auto flow = m_inward.find(packet.DestinationPort());
    if (packet.Source() != m_server || packet.Destination() != m_external || flow == m_inward.end())
    {
        return false;
    }
    packet.SetDestinationPort(flow->second);
    packet.SetDestination(m_client);
    return true;
}

std::vector<Nat::Rebinding>
Nat::RebindPorts(const Draw& draw)
{
    std::vector<Rebinding> done;
    m_inward.clear();
    for (auto& [clientPort, external] : m_outward)
    {
        const std::uint16_t before = std::exchange(external, UnusedPort(draw));
        m_used.insert(external);
        m_inward[external] = clientPort;
        done.push_back({clientPort, before, external});
    }
    return done;
}

std::uint16_t
Nat::UnusedPort(const Draw& draw)
{
    for (;;)
    {
        const std::uint16_t port = 1 + draw(65535);
        if (m_used.count(port) == 0)
        {
            return port;
        }
    }
}
