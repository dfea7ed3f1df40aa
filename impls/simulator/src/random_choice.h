#pragma once

#include "ip_packet.h"
#include "report.h"

#include <ns3/command-line.h>
#include <ns3/random-variable-stream.h>

#include <cstdint>
#include <string>

/// Streams of ns-3's generator. Each purpose has one of its own, so that no draw depends on how many others there were:
/// the fate of a direction's n-th datagram is a function of the seed, the rate and n.
namespace streams
{
inline constexpr std::int64_t kChoiceToClient = 1;
inline constexpr std::int64_t kChoiceToServer = 2;
inline constexpr std::int64_t kCorruptionToClient = 3;
inline constexpr std::int64_t kCorruptionToServer = 4;
inline constexpr std::int64_t kRebind = 5;
} // namespace streams

/// Selects datagrams at random: each with the given probability, never more than `burst` in a row.
class RandomChoice
{
  public:
    RandomChoice(std::uint32_t percent, std::uint64_t burst, std::int64_t stream);

    /// Whether the datagram that is counted as `counters.udp` is selected; lists it there if so.
    bool Selects(Counters& counters);

    /// As if a datagram had not been selected, without a draw.
    void ResetBurst() { m_inRow = 0; }

  private:
    ns3::Ptr<ns3::UniformRandomVariable> m_draw;
    std::uint32_t m_percent;
    std::uint64_t m_burst;
    std::uint64_t m_inRow{0};
};

/// The four options that drop-rate and corrupt-rate share.
class RandomChoiceOptions
{
  public:
    void Add(ns3::CommandLine& line, const std::string& what);

    /// Throws UsageError.
    RandomChoice For(Direction direction) const;

  private:
    std::string m_rateToClient;
    std::string m_rateToServer;
    std::string m_burstToClient;
    std::string m_burstToServer;
};
