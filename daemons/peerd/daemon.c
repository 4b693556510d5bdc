/* The daemon's life around the core. */
#include "daemons/peerd/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/test_point.h"
#include "crypto/schnorr.h"
#include "daemons/peerd/link_key.h"

#define MACHINE_ID "/etc/machine-id"
#define MINUTE_US  INT64_C(60000000)
#define SECOND_US  INT64_C(1000000)

static const struct rc_clock *clock_of(const struct daemon *d)
{
	return rc_service_clock(d->service);
}

static void on_wake(void *arg)
{
	struct daemon *d = arg;

	peerd_wake(d->core);
}

static void arm(void *ctx, int64_t at_us)
{
	struct daemon *d = ctx;
	int64_t now;

	if (!d->wake)
		return;
	if (at_us == INT64_MAX) {
		rc_timer_disarm(d->wake);
		return;
	}
	now = rc_mono_us(clock_of(d));
	rc_timer_arm(d->wake, at_us > now ? at_us - now : 0);
}

static void on_link(void *ctx, uint64_t peer, const char *addr, bool up, const char *why)
{
	if (up)
		RC_TEST_POINT(PEERD_LINK);
	handlers_publish_link(ctx, peer, addr, up, why);
}

static void on_minute(void *arg)
{
	struct daemon *d = arg;

	files_save_book(d);
	files_save_anchors(d);
	rc_timer_arm(d->minute, MINUTE_US);
}

static void on_figures(void *arg)
{
	struct daemon *d = arg;

	metrics_update(d);
	rc_timer_arm(d->figures, SECOND_US);
}

void *daemon_new(struct rc_service *service)
{
	struct daemon *d = rc_alloc(sizeof(*d));

	rc_schnorr_init();
	d->service = service;
	return d;
}

int daemon_open(void *ctx, struct rc_error *error)
{
	struct daemon *d = ctx;
	const struct rc_config *config = rc_service_config(d->service);
	struct sockets_config s = {0};
	int err = options_read(config, rc_service_network(d->service), &d->options, error);

	if (err)
		return err;
	link_key_machine(MACHINE_ID, d->machine);
	s.listening = d->options.listen;
	s.n_listen = rc_config_list(config, "listen", &s.listen);
	s.port = d->options.port;
	s.random = rc_service_random(d->service);
	s.proxy_isolate = rc_config_bool(config, "proxy_isolate");
	if (rc_config_is_set(config, "proxy")) {
		const char *proxy = rc_config_text(config, "proxy");

		s.has_proxy = net_addr_parse(proxy, 0, &s.proxy) && s.proxy.port != 0;
		if (!s.has_proxy)
			return rc_error_set(error, RC_ECONFIG,
					    "proxy: %.80s is not IP:PORT or [IP]:PORT", proxy);
	}
	s.user_timeout_ms = (uint32_t)(d->options.link_timeout_us / PEERD_MS);
	return sockets_open(&s, &d->sockets, error);
}

int daemon_enter(void *ctx, struct rc_error *error)
{
	return files_load(ctx, error);
}

int daemon_start(void *ctx, struct rc_error *error)
{
	struct daemon *d = ctx;
	struct rc_loop *loop = rc_service_loop(d->service);
	struct rc_client_config client = rc_service_client(d->service, RC_CHAIND, RC_ROLE_SUBMIT);
	struct outside out = {
		.clock = clock_of(d),
		.random = rc_service_random(d->service),
		.net = &sockets_net_ops,
		.net_ctx = d->sockets,
		.chain = &chain_bus_ops,
		.arm = arm,
		.on_link = on_link,
		.ctx = d,
	};
	int err = chain_bus_open(loop, &client, &d->chain, error);

	if (err)
		return err;
	out.chain_ctx = d->chain;
	d->wake = rc_loop_add_timer(loop, on_wake, d);
	d->minute = rc_loop_add_timer(loop, on_minute, d);
	d->figures = rc_loop_add_timer(loop, on_figures, d);
	d->core = peerd_new(&out, &d->options, rc_service_network(d->service), d->secret, d->book,
			    &d->bans, &d->anchors);
	d->book = NULL;
	d->book_saved = book_changes(d->core->book);
	rc_wipe(d->secret, sizeof(d->secret));
	sockets_start(d->sockets, loop, d->core);
	chain_bus_start(d->chain, d->core);
	RC_TEST_POINT(PEERD_STARTED);
	peerd_start(d->core);
	rc_timer_arm(d->minute, MINUTE_US);
	rc_timer_arm(d->figures, SECOND_US);
	rc_service_ready(d->service);
	return RC_OK;
}

void daemon_status(void *ctx, struct rc_status *status)
{
	struct daemon *d = ctx;
	struct peerd *core = d->core;
	unsigned in, out;

	if (!core)
		return;
	in = connect_count(core, PEER_INBOUND, true);
	out = connect_count(core, PEER_OUTBOUND, true) + connect_count(core, PEER_MANUAL, true) +
	      connect_count(core, PEER_BLOCK_ONLY, true);
	status->ready = true;
	if (!core->active)
		snprintf(status->text, sizeof(status->text), "network turned off");
	else if (!d->chain || !chain_bus_ops.up(d->chain))
		snprintf(status->text, sizeof(status->text), "waits for chaind; %u links",
			 in + out);
	else if (in + out == 0)
		snprintf(status->text, sizeof(status->text), "no links yet, %zu addresses known",
			 book_count(core->book));
	else
		snprintf(status->text, sizeof(status->text), "%u links", in + out);
	rc_status_figure(status, "inbound", "%u", in);
	rc_status_figure(status, "outbound", "%u", out);
	rc_status_figure(status, "addresses", "%zu", book_count(core->book));
	rc_status_figure(status, "tip", "%u", core->chain_tip.height);
	rc_status_figure(status, "best_header", "%u", core->best_header.height);
	rc_status_figure(status, "blocks_in_flight", "%zu", inflight_total(&core->inflight));
	rc_status_figure(status, "bans", "%zu", core->bans.n);
}

void daemon_stop(void *ctx)
{
	struct daemon *d = ctx;

	sockets_stop_listening(d->sockets);
	RC_TEST_POINT(PEERD_STOP);
	files_save_book(d);
	files_save_anchors(d);
	rc_service_stopped(d->service);
}

void daemon_close(void *ctx)
{
	struct daemon *d = ctx;

	/* Links that end tell chaind what they leave; the client's last answers come back to the
	 * core: it goes last but for its transport. */
	if (d->core)
		peerd_end_links(d->core);
	chain_bus_close(d->chain);
	d->chain = NULL;
	rc_source_free(d->figures);
	rc_source_free(d->minute);
	rc_source_free(d->wake);
	d->wake = d->minute = d->figures = NULL;
	peerd_free(d->core);
	d->core = NULL;
	sockets_close(d->sockets);
	d->sockets = NULL;
	book_free(d->book);
	d->book = NULL;
	bans_done(&d->bans);
}

void daemon_free(void *ctx)
{
	struct daemon *d = ctx;

	options_done(&d->options);
	rc_wipe(d->secret, sizeof(d->secret));
	free(d);
}
