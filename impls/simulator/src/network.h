#pragma once

#include "ip_packet.h"
#include "report.h"

#include <ns3/data-rate.h>
#include <ns3/node-container.h>
#include <ns3/nstime.h>
#include <ns3/point-to-point-net-device.h>
#include <ns3/queue-disc.h>

#include <array>
#include <functional>

struct Interface;

/// What becomes of a packet at the receiving end of the link.
enum class Fate
{
    kPass,
    kReplace, ///< pass on what the rule has made of it
    kDrop,
};

/// Decides about every packet that comes out of one end of the link, in order. `counters.udp` already counts the packet
/// in question; "passed", "dropped" are counted by the caller, what else a rule does it counts itself.
using Rule = std::function<Fate(IpPacket& packet, Counters& counters)>;

struct LinkOptions
{
    ns3::Time delay;         ///< one way
    ns3::DataRate bandwidth; ///< of each direction
    std::uint32_t queue{0};  ///< packets, of each direction
};

/// Two routers, left on eth0 and right on eth1, and the link between them:
///
///     client -- eth0 [left] ==== delay, bandwidth, queue ==== [right] eth1 -- server
///
/// Each router owns a raw device on its interface, with the addresses the kernel has there.
class Network
{
  public:
    /// Throws what ReadInterface() and OpenPacketSocket() throw.
    Network(const LinkOptions& link, Report& report);

    /// Have `rule` decide about the packets of this direction, at the receiving end: after queue, rate and delay.
    void Impair(Direction direction, Rule rule);

    /// Bring the numbers ns-3 keeps by itself into the report.
    void CollectQueueCounters();

    ns3::Ptr<ns3::Node> Left() const { return m_nodes.Get(0); }
    ns3::Ptr<ns3::Node> Right() const { return m_nodes.Get(1); }

  private:
    void JoinRouters(const LinkOptions& link);
    void Attach(ns3::Ptr<ns3::Node> node, const Interface& interface, const std::vector<Interface>& all);
    void Route(ns3::Ptr<ns3::Node> node, const Interface& far, const char* ipv4, const char* ipv6);

    Report& m_report;
    ns3::NodeContainer m_nodes;
    std::array<ns3::Ptr<ns3::PointToPointNetDevice>, 2> m_ends; ///< left, right
    std::array<ns3::Ptr<ns3::QueueDisc>, 2> m_queues;           ///< left, right
};
