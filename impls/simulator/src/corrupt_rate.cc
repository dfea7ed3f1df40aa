#include "random_choice.h"
#include "scenario.h"

#include <algorithm>

namespace
{

constexpr std::size_t kReach = 50; ///< how far into the payload a byte is changed

/// corrupt-rate: changes one byte near the beginning of random UDP datagrams, under checksums that stay right.
///
/// Corrupted datagrams are then *lost*, unless --corrupted=delivered is given. That is what the simulator of
/// the QUIC Interop Runner does since September 2024, when its error model began to report every packet it had
/// corrupted as one to be discarded. Results are compared with those published from it, so it is the default here;
/// `delivered` is what the name of the scenario promises: endpoints see the change, and have to notice it themselves.
class CorruptRate : public Scenario
{
    void AddOptions(ns3::CommandLine& line) override
    {
        m_options.Add(line, "corrupt");
        line.AddValue("corrupted", "what becomes of corrupted datagrams: lost or delivered", m_corrupted);
    }

    void Check() override
    {
        if (m_corrupted != "lost" && m_corrupted != "delivered")
        {
            throw UsageError("--corrupted=" + m_corrupted + ": expected lost or delivered");
        }
        for (const Direction direction : kDirections)
        {
            m_options.For(direction);
        }
    }

    void Apply(Network& network, Report&) override
    {
        for (const Direction direction : kDirections)
        {
            const auto draw = ns3::CreateObject<ns3::UniformRandomVariable>();
            draw->SetStream(direction == Direction::kToClient ? streams::kCorruptionToClient
                                                              : streams::kCorruptionToServer);
            network.Impair(direction,
                           [choice = m_options.For(direction), draw, delivered = m_corrupted == "delivered"](
                               IpPacket& packet,
                               Counters& counters) mutable {
                               if (!packet.IsUdp() || packet.PayloadSize() == 0)
                               {
                                   return Fate::kPass;
                               }
                               // Version Negotiation is not protected against changes: QUIC could not notice them.
                               if (IsVersionNegotiation(packet))
                               {
                                   choice.ResetBurst();
                                   return Fate::kPass;
                               }
                               if (!choice.Selects(counters))
                               {
                                   return Fate::kPass;
                               }
                               Corrupt(packet, *draw);
                               counters.corrupted++;
                               return delivered ? Fate::kReplace : Fate::kDrop;
                           });
        }
    }

    static bool IsVersionNegotiation(const IpPacket& packet)
    {
        constexpr std::size_t version = 1; // RFC 8999: byte 0 is flags, 1 to 4 the version
        return packet.PayloadSize() >= version + 4 && packet.PayloadByte(version) == 0 &&
               packet.PayloadByte(version + 1) == 0 && packet.PayloadByte(version + 2) == 0 &&
               packet.PayloadByte(version + 3) == 0;
    }

    static void Corrupt(IpPacket& packet, ns3::UniformRandomVariable& draw)
    {
        const std::size_t offset = draw.GetInteger(0, std::min(kReach, packet.PayloadSize() - 1));
        const auto difference = static_cast<std::uint8_t>(draw.GetInteger(1, 255));
        packet.SetPayloadByte(offset, packet.PayloadByte(offset) ^ difference);
    }

    RandomChoiceOptions m_options;
    std::string m_corrupted{"lost"};
};

} // namespace

std::unique_ptr<Scenario>
MakeCorruptRate()
{
    return std::make_unique<CorruptRate>();
}
