/*
 * The floor of everything: BIP340 signatures verified by plain libsecp256k1, reading the key
 * included, by a number of threads that do nothing else.
 */
#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "driver.h"

enum { SIGNATURES = 512, THREADS_MAX = 64, PIECE = 16 };

struct signature {
	uint8_t key[32], message[32], bytes[64];
};

static struct signature signatures[SIGNATURES];
static secp256k1_context *context;

static void make_signatures(void)
{
	context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
	for (unsigned i = 0; i < SIGNATURES; i++) {
		uint8_t secret[32] = {1};
		memcpy(secret + 1, &i, sizeof i);
		struct signature *s = &signatures[i];
		secp256k1_keypair pair;
		secp256k1_xonly_pubkey key;
		memset(s->message, (int)(i * 7), sizeof s->message);
		if (!secp256k1_keypair_create(context, &pair, secret) ||
		    !secp256k1_keypair_xonly_pub(context, &key, NULL, &pair) ||
		    !secp256k1_xonly_pubkey_serialize(context, s->key, &key) ||
		    !secp256k1_schnorrsig_sign32(context, s->bytes, s->message, &pair, NULL))
			driver_die("libsecp256k1 makes no signature");
	}
}

struct slice {
	atomic_ulong next;   /* signatures taken */
	unsigned long count; /* to take; ULONG_MAX: until the time is over */
	double end;
	atomic_ulong done;
};

static void *verify(void *arg)
{
	struct slice *slice = arg;
	unsigned long done = 0;
	for (;;) {
		unsigned long first = atomic_fetch_add(&slice->next, PIECE);
		if (first >= slice->count || driver_now() >= slice->end)
			break;
		for (unsigned long i = first; i < first + PIECE && i < slice->count; i++) {
			const struct signature *s = &signatures[i % SIGNATURES];
			secp256k1_xonly_pubkey key;
			if (!secp256k1_xonly_pubkey_parse(context, &key, s->key) ||
			    !secp256k1_schnorrsig_verify(context, s->bytes, s->message,
							 sizeof s->message, &key))
				driver_die("a good signature is refused");
			done++;
		}
	}
	atomic_fetch_add(&slice->done, done);
	return NULL;
}

static json_t *run_slice(unsigned long threads, unsigned long count, double seconds)
{
	struct slice slice = {.count = count};
	pthread_t thread[THREADS_MAX];
	double start = driver_now();
	slice.end = start + seconds;
	for (unsigned long i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], NULL, verify, &slice))
			driver_die("no thread");
	}
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return json_pack("{s:I, s:f}", "count", (json_int_t)slice.done, "seconds",
			 driver_now() - start);
}

static json_t *run(char **words, int n)
{
	(void)n;
	return run_slice(driver_number(words[0], THREADS_MAX), -1ul,
			 (double)driver_number(words[1], 3600000) / 1e3);
}

static json_t *verify_count(char **words, int n)
{
	(void)n;
	return run_slice(driver_number(words[0], THREADS_MAX), driver_number(words[1], 1000000000),
			 3600);
}

int main(int argc, char **argv)
{
	static const struct driver_command commands[] = {
		{"run", 2, "THREADS MILLISECONDS", run},
		{"verify", 2, "THREADS COUNT", verify_count},
		{NULL, 0, NULL, NULL},
	};
	make_signatures();
	return driver_run(argc, argv, "Verifies BIP340 signatures, the floor of the benchmarks.",
			  commands);
}
