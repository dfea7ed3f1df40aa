#pragma once

#include "network.h"
#include "report.h"

#include <ns3/command-line.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

/// The command line is wrong; the text says what is.
class UsageError : public std::runtime_error
{
    using std::runtime_error::runtime_error;
};

/// What one named scenario adds to the plain link.
class Scenario
{
  public:
    virtual ~Scenario() = default;

    /// Options besides those that all scenarios have.
    virtual void AddOptions(ns3::CommandLine&) {}

    /// Look at the options' values. Throws UsageError.
    virtual void Check() {}

    /// Impair `network`, schedule what happens later. Time zero is the beginning of the event loop.
    virtual void Apply(Network& network, Report& report) = 0;
};

/// Name -> how to make it.
const std::map<std::string, std::function<std::unique_ptr<Scenario>()>>& Scenarios();

std::unique_ptr<Scenario> MakeSimpleP2p();
std::unique_ptr<Scenario> MakeDropList();
std::unique_ptr<Scenario> MakeDropRate();
std::unique_ptr<Scenario> MakeCorruptRate();
std::unique_ptr<Scenario> MakeBlackhole();
std::unique_ptr<Scenario> MakeRebind();
std::unique_ptr<Scenario> MakeTcpCrossTraffic();
std::unique_ptr<Scenario> MakeUdpCrossTraffic();
