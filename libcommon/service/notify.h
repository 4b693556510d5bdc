/* What the service manager is told. Without one these do nothing, and all else is the same. */
#ifndef RC_SERVICE_NOTIFY_H
#define RC_SERVICE_NOTIFY_H

void rc_notify_ready(const char *status);
void rc_notify_status(const char *status);
void rc_notify_reloading(void);
void rc_notify_stopping(void);

#endif
