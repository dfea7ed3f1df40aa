#pragma once

#include "ip_packet.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// What happened to the packets of one direction at the receiving end of the link.
struct Counters
{
    std::uint64_t offered{0};    ///< packets that came to the sending end's queue
    std::uint64_t queueDrops{0}; ///< of these, packets that found the queue full
    std::uint32_t longestQueue{0};
    std::uint64_t packets{0}; ///< packets that came out of the link
    std::uint64_t udp{0};     ///< of these, UDP datagrams
    std::uint64_t dropped{0};
    std::uint64_t corrupted{0};
    std::uint64_t translated{0};
    /// Which UDP datagrams of this direction were dropped or corrupted, counted from 1; the first `kListed`.
    std::vector<std::uint64_t> selected;

    static constexpr std::size_t kListed = 10000;
};

/// The scenario's evidence: lines on standard output while it runs, and a JSON file that holds all of it.
///
/// The file is there from the start and rewritten with every event, so a scenario that is killed leaves a report too.
class Report
{
  public:
    /// The values of `text` are JSON already: see Quoted().
    using Fields = std::vector<std::pair<std::string, std::string>>;

    Report(std::string file, Fields head);

    Counters& operator[](Direction direction) { return m_counters[static_cast<std::size_t>(direction)]; }
    const Counters& operator[](Direction direction) const { return m_counters[static_cast<std::size_t>(direction)]; }

    /// The event loop runs since `ago` seconds: event times are counted from then.
    void Started(double ago);

    /// Something happened now: print `line`, keep `fields`.
    void Event(const std::string& kind, const std::string& line, const Fields& fields);

    /// Print the counters and write the file a last time.
    void Finished();

  private:
    void Write() const;

    std::string m_file;
    Fields m_head;
    double m_started{0}; ///< CLOCK_MONOTONIC, seconds
    double m_finished{0};
    std::array<Counters, 2> m_counters;
    std::vector<std::string> m_events;
};

/// `text` as a JSON string. Control characters become blanks.
std::string Quoted(const std::string& text);

/// "to client" or "to server".
std::string Name(Direction direction);
