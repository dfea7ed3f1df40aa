// Load from inside ns-3 on the link the endpoints share, from right to left like a download:
//
//     sink -- 100 Mbps, 1 ms -- [left] ==== link ==== [right] -- 100 Mbps, 1 ms -- source

#include "options.h"
#include "scenario.h"

#include <ns3/application-container.h>
#include <ns3/boolean.h>
#include <ns3/bulk-send-helper.h>
#include <ns3/config.h>
#include <ns3/inet-socket-address.h>
#include <ns3/internet-stack-helper.h>
#include <ns3/ipv4-address-helper.h>
#include <ns3/ipv4-static-routing-helper.h>
#include <ns3/ipv4.h>
#include <ns3/on-off-helper.h>
#include <ns3/packet-sink-helper.h>
#include <ns3/packet-sink.h>
#include <ns3/point-to-point-helper.h>
#include <ns3/simulator.h>
#include <ns3/string.h>
#include <ns3/tcp-cubic.h>
#include <ns3/uinteger.h>

#include <iomanip>
#include <sstream>

using namespace ns3;

namespace
{

constexpr std::uint16_t kPort = 9; // RFC 863: discard
const Time kReportInterval = Seconds(5);

class CrossTraffic : public Scenario
{
  protected:
    /// Adds both hosts; returns where the sink listens. `factory` names the transport.
    InetSocketAddress AddHosts(Network& network, const std::string& factory)
    {
        const Ptr<Node> sinkHost = AddHost(network.Left(), "193.167.51.0");
        m_source = AddHost(network.Right(), "193.167.52.0");
        // The routers have routes to each other's interfaces only; the hosts' networks are behind the link's far end.
        AddRoute(network.Left(), "193.167.52.0", "193.167.50.2");
        AddRoute(network.Right(), "193.167.51.0", "193.167.50.1");
        const PacketSinkHelper sink(factory, InetSocketAddress(Ipv4Address::GetAny(), kPort));
        m_sink = DynamicCast<PacketSink>(PacketSinkHelper(sink).Install(sinkHost).Get(0));
        const InetSocketAddress address(sinkHost->GetObject<Ipv4>()->GetAddress(1, 0).GetLocal(), kPort);
        return address;
    }

    /// From now on, print what arrives every few seconds.
    void ReportRate(Report& report)
    {
        Simulator::Schedule(kReportInterval, [this, &report] {
            const std::uint64_t total = m_sink->GetTotalRx();
            std::ostringstream rate;
            rate << std::fixed << std::setprecision(2)
                 << static_cast<double>(total - m_received) * 8 / kReportInterval.GetSeconds() / 1e6;
            m_received = total;
            report.Event("cross-traffic",
                         "cross traffic arrives at " + rate.str() + " Mbps",
                         {{"mbps", rate.str()}, {"bytes", std::to_string(total)}});
            ReportRate(report);
        });
    }

    Ptr<Node> m_source;

  private:
    static Ptr<Node> AddHost(Ptr<Node> router, const char* network)
    {
        const auto host = CreateObject<Node>();
        InternetStackHelper stack;
        stack.SetRoutingHelper(Ipv4StaticRoutingHelper());
        stack.SetIpv6StackInstall(false);
        stack.Install(host);
        PointToPointHelper access;
        access.SetDeviceAttribute("DataRate", StringValue("100Mbps"));
        access.SetChannelAttribute("Delay", StringValue("1ms"));
        const NetDeviceContainer devices = access.Install(host, router);
        Ipv4AddressHelper addresses(network, "255.255.255.0");
        const Ipv4InterfaceContainer interfaces = addresses.Assign(devices);
        Ipv4StaticRoutingHelper()
            .GetStaticRouting(host->GetObject<Ipv4>())
            ->SetDefaultRoute(interfaces.GetAddress(1), 1);
        return host;
    }

    static void AddRoute(Ptr<Node> router, const char* network, const char* nextHop)
    {
        const auto ipv4 = router->GetObject<Ipv4>();
        const auto interface = ipv4->GetInterfaceForPrefix(nextHop, Ipv4Mask("/24"));
        Ipv4StaticRoutingHelper().GetStaticRouting(ipv4)->AddNetworkRouteTo(network,
                                                                            Ipv4Mask("/24"),
                                                                            nextHop,
                                                                            interface);
    }

    Ptr<PacketSink> m_sink;
    std::uint64_t m_received{0};
};

/// tcp-cross-traffic: one TCP connection that always has something to send.
class TcpCrossTraffic : public CrossTraffic
{
    void Apply(Network& network, Report& report) override
    {
        // Said here although it is ns-3's own default, which has changed before.
        Config::SetDefault("ns3::TcpL4Protocol::SocketType", TypeIdValue(TcpCubic::GetTypeId()));
        Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
        Config::SetDefault("ns3::TcpSocketBase::Sack", BooleanValue(true));
        BulkSendHelper source("ns3::TcpSocketFactory", AddHosts(network, "ns3::TcpSocketFactory"));
        source.SetAttribute("MaxBytes", UintegerValue(0)); // no limit
        source.Install(m_source);
        ReportRate(report);
    }
};

/// udp-cross-traffic: datagrams at a constant rate, beginning after 20 s.
class UdpCrossTraffic : public CrossTraffic
{
    void AddOptions(CommandLine& line) override
    {
        line.AddValue("crossdatarate", "rate of the load, such as 4Mbps", m_rate);
    }

    void Check() override { ToDataRate("crossdatarate", m_rate); }

    void Apply(Network& network, Report& report) override
    {
        OnOffHelper source("ns3::UdpSocketFactory", AddHosts(network, "ns3::UdpSocketFactory"));
        source.SetConstantRate(ToDataRate("crossdatarate", m_rate), 1400);
        source.Install(m_source).Start(Seconds(20));
        ReportRate(report);
    }

    std::string m_rate;
};

} // namespace

std::unique_ptr<Scenario>
MakeTcpCrossTraffic()
{
    return std::make_unique<TcpCrossTraffic>();
}

std::unique_ptr<Scenario>
MakeUdpCrossTraffic()
{
    return std::make_unique<UdpCrossTraffic>();
}
