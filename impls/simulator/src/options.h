#pragma once

#include <ns3/data-rate.h>
#include <ns3/nstime.h>

#include <cstdint>
#include <set>
#include <string>

// Values of options, from their text. ns-3 would read them as well, but ends the process in the middle of a sentence
// about its own sources where one is wrong. All throw UsageError with the option's name.

/// "15ms", "1.5s": a number and a unit.
ns3::Time ToTime(const std::string& option, const std::string& text);

/// "10Mbps", "500kb/s": a number and a unit.
ns3::DataRate ToDataRate(const std::string& option, const std::string& text);

/// "3" to the number, between the limits, both included.
std::uint64_t ToNumber(const std::string& option, const std::string& text, std::uint64_t least, std::uint64_t most);

/// "2,3,4" to the numbers, each at least 1; "" to none.
std::set<std::uint64_t> ToNumbers(const std::string& option, const std::string& text);
