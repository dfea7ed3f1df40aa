#include "random_choice.h"

#include "options.h"

#include <limits>

namespace
{

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

} // namespace

RandomChoice::RandomChoice(std::uint32_t percent, std::uint64_t burst, std::int64_t stream)
    : m_draw(ns3::CreateObject<ns3::UniformRandomVariable>()),
      m_percent(percent),
      m_burst(burst)
{
    m_draw->SetStream(stream);
}

bool
RandomChoice::Selects(Counters& counters)
{
    // Drawn even where the burst is over, so that the n-th datagram has the n-th draw.
    const bool drawn = m_draw->GetInteger(0, 99) < m_percent;
    if (!drawn || m_inRow == m_burst)
    {
        m_inRow = 0;
        return false;
    }
    m_inRow++;
    if (counters.selected.size() < Counters::kListed)
    {
        counters.selected.push_back(counters.udp);
    }
    return true;
}

void
RandomChoiceOptions::Add(ns3::CommandLine& line, const std::string& what)
{
    line.AddValue("rate_to_client", "percentage of the UDP datagrams to " + what, m_rateToClient);
    line.AddValue("rate_to_server", "the same for the other direction", m_rateToServer);
    line.AddValue("burst_to_client", "at most this many in a row; default: any number", m_burstToClient);
    line.AddValue("burst_to_server", "the same for the other direction", m_burstToServer);
}

RandomChoice
RandomChoiceOptions::For(Direction direction) const
{
    const bool toClient = direction == Direction::kToClient;
    const std::string side = toClient ? "_to_client" : "_to_server";
    const std::string& burst = toClient ? m_burstToClient : m_burstToServer;
    return {static_cast<std::uint32_t>(ToNumber("rate" + side, toClient ? m_rateToClient : m_rateToServer, 0, 100)),
            burst.empty() ? kUnlimited : ToNumber("burst" + side, burst, 1, 1'000'000'000),
            toClient ? streams::kChoiceToClient : streams::kChoiceToServer};
}
