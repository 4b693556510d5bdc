/* rpcd as a service: its tables and hooks, without main, so that tests can link it. */
#ifndef RPCD_CORE_H
#define RPCD_CORE_H

#include "service/service.h"

extern const struct rc_service_def rpcd_service;

#endif
