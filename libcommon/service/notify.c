/* The one file that knows sd_notify. */
#include "service/notify.h"

#include <systemd/sd-daemon.h>

#include "base/clock.h"

void rc_notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void rc_notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void rc_notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)rc_mono_us(&rc_clock_system));
}

void rc_notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
