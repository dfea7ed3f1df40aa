#pragma once

#include "report.h"

#include <ns3/nstime.h>

/// Run the event loop until SIGTERM, SIGINT or the time is up.
///
/// TCP port 57832 is opened as soon as the loop runs and the devices are up: to endpoints, that port means "begin".
/// StopOnSignal() must have been called before there was any other thread.
void RunEventLoop(ns3::Time longest, Report& report);

/// From now on, SIGTERM and SIGINT end the event loop instead of the process. Call it first of all.
void StopOnSignal();
