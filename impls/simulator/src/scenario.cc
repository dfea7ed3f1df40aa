#include "scenario.h"

namespace
{

class SimpleP2p : public Scenario
{
    void Apply(Network&, Report&) override {}
};

} // namespace

std::unique_ptr<Scenario>
MakeSimpleP2p()
{
    return std::make_unique<SimpleP2p>();
}

const std::map<std::string, std::function<std::unique_ptr<Scenario>()>>&
Scenarios()
{
    static const std::map<std::string, std::function<std::unique_ptr<Scenario>()>> scenarios{
        {"simple-p2p", MakeSimpleP2p},
        {"droplist", MakeDropList},
        {"drop-rate", MakeDropRate},
        {"corrupt-rate", MakeCorruptRate},
        {"blackhole", MakeBlackhole},
        {"rebind", MakeRebind},
        {"tcp-cross-traffic", MakeTcpCrossTraffic},
        {"udp-cross-traffic", MakeUdpCrossTraffic},
    };
    return scenarios;
}
