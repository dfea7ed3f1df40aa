#include "network.h"

#include "interface.h"

#include <ns3/boolean.h>
#include <ns3/config.h>
#include <ns3/error-model.h>
#include <ns3/fd-net-device.h>
#include <ns3/internet-stack-helper.h>
#include <ns3/ipv4-static-routing-helper.h>
#include <ns3/ipv4.h>
#include <ns3/ipv6-static-routing-helper.h>
#include <ns3/ipv6.h>
#include <ns3/point-to-point-helper.h>
#include <ns3/queue-size.h>
#include <ns3/string.h>
#include <ns3/traffic-control-helper.h>
#include <ns3/uinteger.h>

#include <string>
#include <utility>

using namespace ns3;

namespace
{

constexpr std::size_t kPppHeader = 2; ///< what ns-3 puts before packets on a point-to-point link

// The link's own addresses, never seen by an endpoint except in an ICMP error.
constexpr const char* kLeftIpv4 = "193.167.50.1";
constexpr const char* kRightIpv4 = "193.167.50.2";
constexpr const char* kLeftIpv6 = "fd00:cafe:cafe:50::1";
constexpr const char* kRightIpv6 = "fd00:cafe:cafe:50::2";

/// The receiving end of the link: counts, and lets a rule decide.
class ReceivingEnd : public ErrorModel
{
  public:
    ReceivingEnd(Counters& counters, Rule rule)
        : m_counters(counters),
          m_rule(std::move(rule))
    {
    }

  private:
    bool DoCorrupt(Ptr<Packet> packet) override
    {
        std::vector<std::uint8_t> frame(packet->GetSize());
        packet->CopyData(frame.data(), frame.size());
        IpPacket inner({frame.begin() + kPppHeader, frame.end()});
        m_counters.packets++;
        m_counters.udp += inner.IsUdp() ? 1 : 0;
        switch (m_rule(inner, m_counters))
        {
        case Fate::kPass:
            return false;
        case Fate::kReplace:
            packet->RemoveAtEnd(inner.Bytes().size());
            packet->AddAtEnd(Create<Packet>(inner.Bytes().data(), inner.Bytes().size()));
            return false;
        case Fate::kDrop:
            break;
        }
        m_counters.dropped++;
        return true;
    }

    void DoReset() override {}

    Counters& m_counters;
    Rule m_rule;
};

void
SetDefaults()
{
    // The endpoints are real machines: they answer at once, keep their hardware address, and nothing else of ns-3 asks.
    // So no random pauses before asking, no forgetting, and a neighbour that is not there yet is asked again soon.
    Config::SetDefault("ns3::ArpL3Protocol::RequestJitter", StringValue("ns3::ConstantRandomVariable[Constant=0]"));
    Config::SetDefault("ns3::ArpCache::AliveTimeout", TimeValue(Hours(24)));
    Config::SetDefault("ns3::ArpCache::DeadTimeout", TimeValue(MilliSeconds(100)));
    Config::SetDefault("ns3::ArpCache::WaitReplyTimeout", TimeValue(MilliSeconds(200)));
    Config::SetDefault("ns3::ArpCache::PendingQueueSize", UintegerValue(1000));
    Config::SetDefault("ns3::Icmpv6L4Protocol::SolicitationJitter",
                       StringValue("ns3::ConstantRandomVariable[Constant=0]"));
    Config::SetDefault("ns3::Icmpv6L4Protocol::ReachableTime", TimeValue(Hours(24)));
    Config::SetDefault("ns3::Icmpv6L4Protocol::RetransmissionTime", TimeValue(MilliSeconds(200)));
    Config::SetDefault("ns3::NdiscCache::UnresolvedQueueSize", UintegerValue(1000));
    // The kernel has the same addresses, and would say that they are taken.
    Config::SetDefault("ns3::Icmpv6L4Protocol::DAD", BooleanValue(false));
    Config::SetDefault("ns3::Ipv6L3Protocol::SendIcmpv6Redirect", BooleanValue(false));
    Config::SetDefault("ns3::FdNetDevice::RxQueueSize", UintegerValue(10000));
}

void
AddAddress(Ptr<Node> node, Ptr<NetDevice> device, Ipv4Address address, Ipv4Mask mask)
{
    const auto ipv4 = node->GetObject<Ipv4>();
    const int known = ipv4->GetInterfaceForDevice(device);
    const std::uint32_t index = known < 0 ? ipv4->AddInterface(device) : known;
    ipv4->AddAddress(index, Ipv4InterfaceAddress(address, mask));
    ipv4->SetForwarding(index, true);
    ipv4->SetUp(index);
}

void
AddAddress(Ptr<Node> node, Ptr<NetDevice> device, Ipv6Address address, Ipv6Prefix prefix)
{
    const auto ipv6 = node->GetObject<Ipv6>();
    const int known = ipv6->GetInterfaceForDevice(device);
    const std::uint32_t index = known < 0 ? ipv6->AddInterface(device) : known;
    ipv6->SetUp(index);
    ipv6->SetForwarding(index, true);
    ipv6->AddAddress(index, Ipv6InterfaceAddress(address, prefix));
}

} // namespace

Network::Network(const LinkOptions& link, Report& report)
    : m_report(report)
{
    SetDefaults();
    m_nodes.Create(2);
    InternetStackHelper stack;
    stack.SetRoutingHelper(Ipv4StaticRoutingHelper());
    stack.SetRoutingHelper(Ipv6StaticRoutingHelper());
    stack.Install(m_nodes);

    const std::vector<Interface> interfaces{ReadInterface("eth0"), ReadInterface("eth1")};
    JoinRouters(link);
    Attach(Left(), interfaces[0], interfaces);
    Attach(Right(), interfaces[1], interfaces);
    Route(Left(), interfaces[1], kRightIpv4, kRightIpv6);
    Route(Right(), interfaces[0], kLeftIpv4, kLeftIpv6);
    // Every packet is counted, impaired or not.
    for (const Direction direction : kDirections)
    {
        Impair(direction, [](IpPacket&, Counters&) { return Fate::kPass; });
    }
}

void
Network::JoinRouters(const LinkOptions& link)
{
    PointToPointHelper helper;
    helper.SetDeviceAttribute("DataRate", DataRateValue(link.bandwidth));
    helper.SetChannelAttribute("Delay", TimeValue(link.delay));
    // The device's own queue holds one packet, so that all others wait where their number is limited.
    helper.SetQueue("ns3::DropTailQueue<Packet>", "MaxSize", StringValue("1p"));
    const NetDeviceContainer devices = helper.Install(m_nodes);

    TrafficControlHelper queue;
    queue.SetRootQueueDisc("ns3::FifoQueueDisc",
                           "MaxSize",
                           QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, link.queue)));
    const QueueDiscContainer queues = queue.Install(devices);
    for (std::uint32_t side = 0; side < 2; side++)
    {
        m_ends[side] = DynamicCast<PointToPointNetDevice>(devices.Get(side));
        m_queues[side] = queues.Get(side);
        // What left sends goes to the server.
        Counters& counters = m_report[side == 0 ? Direction::kToServer : Direction::kToClient];
        m_queues[side]->TraceConnectWithoutContext(
            "PacketsInQueue",
            Callback<void, std::uint32_t, std::uint32_t>([&counters](std::uint32_t, std::uint32_t now) {
                counters.longestQueue = std::max(counters.longestQueue, now);
            }));
    }
    AddAddress(Left(), devices.Get(0), Ipv4Address(kLeftIpv4), Ipv4Mask("/24"));
    AddAddress(Right(), devices.Get(1), Ipv4Address(kRightIpv4), Ipv4Mask("/24"));
    AddAddress(Left(), devices.Get(0), Ipv6Address(kLeftIpv6), Ipv6Prefix(64));
    AddAddress(Right(), devices.Get(1), Ipv6Address(kRightIpv6), Ipv6Prefix(64));
}

void
Network::Attach(Ptr<Node> node, const Interface& interface, const std::vector<Interface>& all)
{
    const auto device = CreateObject<FdNetDevice>();
    device->SetAddress(interface.mac);
    device->SetFileDescriptor(OpenPacketSocket(interface, all));
    node->AddDevice(device);
    for (const auto& [address, mask] : interface.ipv4)
    {
        AddAddress(node, device, address, mask);
    }
    for (const auto& [address, prefix] : interface.ipv6)
    {
        AddAddress(node, device, address, prefix);
    }
}

void
Network::Route(Ptr<Node> node, const Interface& far, const char* ipv4, const char* ipv6)
{
    const auto end = m_ends[node == Left() ? 0 : 1];
    for (const auto& [address, mask] : far.ipv4)
    {
        Ipv4StaticRoutingHelper()
            .GetStaticRouting(node->GetObject<Ipv4>())
            ->AddNetworkRouteTo(address.CombineMask(mask),
                                mask,
                                Ipv4Address(ipv4),
                                node->GetObject<Ipv4>()->GetInterfaceForDevice(end));
    }
    for (const auto& [address, prefix] : far.ipv6)
    {
        Ipv6StaticRoutingHelper()
            .GetStaticRouting(node->GetObject<Ipv6>())
            ->AddNetworkRouteTo(address.CombinePrefix(prefix),
                                prefix,
                                Ipv6Address(ipv6),
                                node->GetObject<Ipv6>()->GetInterfaceForDevice(end));
    }
}

void
Network::Impair(Direction direction, Rule rule)
{
    const std::size_t end = direction == Direction::kToClient ? 0 : 1;
    m_ends[end]->SetReceiveErrorModel(CreateObject<ReceivingEnd>(m_report[direction], std::move(rule)));
}

void
Network::CollectQueueCounters()
{
    for (const Direction direction : kDirections)
    {
        const auto& stats = m_queues[direction == Direction::kToServer ? 0 : 1]->GetStats();
        m_report[direction].offered = stats.nTotalReceivedPackets;
        m_report[direction].queueDrops = stats.nTotalDroppedPackets;
    }
}
