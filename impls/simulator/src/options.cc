#include "options.h"

#include "scenario.h"

#include <regex>
#include <sstream>

namespace
{

[[noreturn]] void
Refuse(const std::string& option, const std::string& text, const std::string& expected)
{
    throw UsageError(text.empty() ? "--" + option + " is missing: " + expected
                                  : "--" + option + "=" + text + ": expected " + expected);
}

} // namespace

ns3::Time
ToTime(const std::string& option, const std::string& text)
{
    static const std::regex form(R"(\d+(\.\d+)?(ns|us|ms|s|min|h))");
    if (!std::regex_match(text, form))
    {
        Refuse(option, text, "a time with its unit, such as 15ms");
    }
    return ns3::Time(text);
}

ns3::DataRate
ToDataRate(const std::string& option, const std::string& text)
{
    static const std::regex form(R"(\d+(\.\d+)?([kKMG]i?)?(bps|b/s|Bps|B/s))");
    if (!std::regex_match(text, form) || ns3::DataRate(text).GetBitRate() == 0)
    {
        Refuse(option, text, "a rate with its unit, such as 10Mbps");
    }
    return ns3::DataRate(text);
}

std::uint64_t
ToNumber(const std::string& option, const std::string& text, std::uint64_t least, std::uint64_t most)
{
    static const std::regex form(R"(\d{1,18})");
    const bool number = std::regex_match(text, form);
    if (!number || std::stoull(text) < least || std::stoull(text) > most)
    {
        Refuse(option, text, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return std::stoull(text);
}

std::set<std::uint64_t>
ToNumbers(const std::string& option, const std::string& text)
{
    std::set<std::uint64_t> numbers;
    std::istringstream items(text);
    for (std::string item; std::getline(items, item, ',');)
    {
        numbers.insert(ToNumber(option, item, 1, 1'000'000'000));
    }
    return numbers;
}
