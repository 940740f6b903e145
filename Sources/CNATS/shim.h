#pragma once
// cnats 3.4.1. Not used from here, on purpose: natsSubscription_Fetch* (writes past its list, fixed in 3.9.0) and
// js_PublishAsync (loses acks and re-sends late over a reconnect).
#include <nats/nats.h>
