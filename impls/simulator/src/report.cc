#include "report.h"

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace
{

double
Monotonic()
{
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::string
Seconds(double value)
{
    std::ostringstream text;
    text << std::fixed << std::setprecision(6) << value;
    return text.str();
}

template <typename Items>
std::string
Joined(const Items& items)
{
    std::ostringstream text;
    for (auto it = items.begin(); it != items.end(); ++it)
    {
        text << (it == items.begin() ? "" : ", ") << *it;
    }
    return text.str();
}

std::string
Object(const Report::Fields& fields)
{
    std::vector<std::string> members;
    for (const auto& [name, value] : fields)
    {
        members.push_back(Quoted(name) + ": " + value);
    }
    return "{" + Joined(members) + "}";
}

std::string
Object(const Counters& counters)
{
    return Object({{"offered", std::to_string(counters.offered)},
                   {"queue_drops", std::to_string(counters.queueDrops)},
                   {"longest_queue", std::to_string(counters.longestQueue)},
                   {"packets", std::to_string(counters.packets)},
                   {"udp", std::to_string(counters.udp)},
                   {"dropped", std::to_string(counters.dropped)},
                   {"corrupted", std::to_string(counters.corrupted)},
                   {"translated", std::to_string(counters.translated)},
                   {"selected", "[" + Joined(counters.selected) + "]"}});
}

} // namespace

Report::Report(std::string file, Fields head)
    : m_file(std::move(file)),
      m_head(std::move(head))
{
}

void
Report::Started(double ago)
{
    m_started = Monotonic() - ago;
    Write();
}

void
Report::Event(const std::string& kind, const std::string& line, const Fields& fields)
{
    const double now = Monotonic();
    std::cout << Seconds(now - m_started) << " s: " << line << std::endl;
    Fields all{{"event", Quoted(kind)}, {"at", Seconds(now - m_started)}, {"monotonic", Seconds(now)}};
    all.insert(all.end(), fields.begin(), fields.end());
    m_events.push_back(Object(all));
    Write();
}

void
Report::Finished()
{
    m_finished = Monotonic();
    for (const Direction direction : kDirections)
    {
        const Counters& counters = (*this)[direction];
        std::cout << Name(direction) << ": " << counters.packets << " packets, " << counters.udp << " of them UDP; "
                  << counters.dropped << " dropped, " << counters.corrupted << " corrupted, " << counters.translated
                  << " translated; the queue dropped " << counters.queueDrops << " of " << counters.offered
                  << " and held at most " << counters.longestQueue << std::endl;
    }
    Write();
}

void
Report::Write() const
{
    Fields all = m_head;
    all.emplace_back("started_monotonic", Seconds(m_started));
    all.emplace_back("finished_monotonic", m_finished == 0 ? "null" : Seconds(m_finished));
    all.emplace_back("to_client", Object((*this)[Direction::kToClient]));
    all.emplace_back("to_server", Object((*this)[Direction::kToServer]));
    all.emplace_back("events", "[" + Joined(m_events) + "]");
    const std::string unfinished = m_file + ".tmp";
    std::ofstream(unfinished) << Object(all) << '\n';
    if (std::rename(unfinished.c_str(), m_file.c_str()) != 0)
    {
        std::cerr << "simulator: cannot write " << m_file << std::endl;
    }
}

std::string
Quoted(const std::string& text)
{
    std::string quoted = "\"";
    for (const char c : text)
    {
        if (c == '"' || c == '\\')
        {
            quoted += '\\';
        }
        quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return quoted + '"';
}

std::string
Name(Direction direction)
{
    return direction == Direction::kToClient ? "to client" : "to server";
}
