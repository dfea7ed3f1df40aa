#include "nat.h"
#include "options.h"
#include "random_choice.h"
#include "scenario.h"

#include <ns3/simulator.h>

#include <arpa/inet.h>

#include <algorithm>

namespace
{

// Fixed by the contract. The NAT takes its addresses from the client's network, so that the server's answers find the
// way back through the simulator: 193.167.0.0/24 and fd00:cafe:cafe::/64, last byte 1 to 254.
constexpr const char* kClientIpv4 = "193.167.0.100";
constexpr const char* kServerIpv4 = "193.167.100.100";
constexpr const char* kClientIpv6 = "fd00:cafe:cafe::100";
constexpr const char* kServerIpv6 = "fd00:cafe:cafe:100::100";

/// Last bytes that are somebody's: the bridge, this simulator, the iperf client (as number and as hexadecimal text), the
/// client. A packet to the simulator's own address would never come back to the NAT.
constexpr std::uint8_t kTaken[] = {1, 2, 90, 0x90, 100};

Address
ToAddress(const char* text)
{
    Address address(4);
    if (inet_pton(AF_INET, text, address.data()) != 1)
    {
        address.resize(16);
        inet_pton(AF_INET6, text, address.data());
    }
    return address;
}

std::string
ToText(const Address& address)
{
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text, sizeof text);
}

/// rebind: a NAT in front of the client changes its ports, and with --rebind-addr its address as well.
class Rebind : public Scenario
{
    void AddOptions(ns3::CommandLine& line) override
    {
        line.AddValue("first-rebind", "when the ports change first, such as 1s", m_first);
        line.AddValue("rebind-freq", "time from one change to the next; default: there is only one", m_interval);
        line.AddValue("rebind-addr", "the client's address changes too", m_address);
    }

    void Check() override
    {
        if (ToTime("first-rebind", m_first).IsZero())
        {
            throw UsageError("--first-rebind=" + m_first + ": expected a time after the start");
        }
        if (!m_interval.empty() && ToTime("rebind-freq", m_interval).IsZero())
        {
            throw UsageError("--rebind-freq=" + m_interval + ": expected a time above zero");
        }
    }

    void Apply(Network& network, Report& report) override
    {
        m_random->SetStream(streams::kRebind);
        // At the receiving ends: what the left capture shows is what the client sent and gets.
        network.Impair(Direction::kToServer, [this](IpPacket& packet, Counters& counters) {
            return packet.IsUdp() ? Translated(Of(packet).Outward(packet, m_draw), counters) : Fate::kPass;
        });
        network.Impair(Direction::kToClient, [this](IpPacket& packet, Counters& counters) {
            return packet.IsUdp() ? Translated(Of(packet).Inward(packet), counters) : Fate::kPass;
        });
        ns3::Simulator::Schedule(ToTime("first-rebind", m_first), [this, &report] { Change(report); });
    }

    static Fate Translated(bool known, Counters& counters)
    {
        if (!known)
        {
            return Fate::kDrop;
        }
        counters.translated++;
        return Fate::kReplace;
    }

    Nat& Of(const IpPacket& packet) { return packet.IsIpv6() ? m_ipv6 : m_ipv4; }

    void Change(Report& report)
    {
        std::string line;
        std::string flows;
        for (Nat* nat : {&m_ipv4, &m_ipv6})
        {
            const std::string family = nat == &m_ipv4 ? "4" : "6";
            for (const auto& it : nat->RebindPorts(m_draw))
            {
                line += " IPv" + family + " port " + std::to_string(it.clientPort) + ": " + std::to_string(it.before) +
                        " -> " + std::to_string(it.after) + ";";
                flows += (flows.empty() ? "" : ", ") + std::string("{\"family\": ") + family +
                         ", \"client_port\": " + std::to_string(it.clientPort) +
                         ", \"before\": " + std::to_string(it.before) + ", \"after\": " + std::to_string(it.after) +
                         "}";
            }
        }
        if (m_address)
        {
            m_lastByte = NewLastByte();
            for (Nat* nat : {&m_ipv4, &m_ipv6})
            {
                Address address = nat->Client();
                address[address.size() - 2] = nat == &m_ipv4 ? address[address.size() - 2] : 0;
                address.back() = m_lastByte;
                nat->RebindAddress(address);
                line += " client is " + ToText(address) + ";";
                (nat == &m_ipv4 ? m_ipv4Text : m_ipv6Text) = ToText(address);
            }
        }
        report.Event("rebind",
                     "rebinding:" + (line.empty() ? " no flow yet" : line),
                     {{"flows", "[" + flows + "]"}, {"ipv4", Quoted(m_ipv4Text)}, {"ipv6", Quoted(m_ipv6Text)}});
        if (!m_interval.empty())
        {
            ns3::Simulator::Schedule(ToTime("rebind-freq", m_interval), [this, &report] { Change(report); });
        }
    }

    std::uint8_t NewLastByte()
    {
        for (;;)
        {
            const std::uint8_t byte = 1 + m_draw(254);
            if (byte != m_lastByte && std::find(std::begin(kTaken), std::end(kTaken), byte) == std::end(kTaken))
            {
                return byte;
            }
        }
    }

    std::string m_first;
    std::string m_interval;
    bool m_address{false};
    ns3::Ptr<ns3::UniformRandomVariable> m_random{ns3::CreateObject<ns3::UniformRandomVariable>()};
    Nat::Draw m_draw{[this](std::uint32_t limit) { return m_random->GetInteger(0, limit - 1); }};
    Nat m_ipv4{ToAddress(kClientIpv4), ToAddress(kServerIpv4)};
    Nat m_ipv6{ToAddress(kClientIpv6), ToAddress(kServerIpv6)};
    std::string m_ipv4Text{kClientIpv4};
    std::string m_ipv6Text{kClientIpv6};
    std::uint8_t m_lastByte{0};
};

} // namespace

std::unique_ptr<Scenario>
MakeRebind()
{
    return std::make_unique<Rebind>();
}
