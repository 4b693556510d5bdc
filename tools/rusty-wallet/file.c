/* See file.h. */
#include "tools/rusty-wallet/file.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/reader.h"
#include "crypto/aead.h"
#include "crypto/bip32.h"

static const char magic[8] = "RCWALLET";

#define HEAD_SIZE (8 + 2 + 32 + 1 + 4 + 4 + 32)
#define AD_SIZE	  (HEAD_SIZE + RC_AEAD_NONCE_SIZE + 4)
#define PLAIN_MAX (1 + RC_BIP39_ENTROPY_MAX + 4 + 4 + 4)
/* Bounds of the price a file may ask for before scrypt's memory is counted. */
#define LOG_N_MIN 1
#define LOG_N_MAX 24
#define R_MAX	  64
#define P_MAX	  64

static int derive(struct wallet_seal *seal, const char *passphrase, struct rc_error *error)
{
	struct rc_scrypt_params params = {UINT64_C(1) << seal->head.log_n, seal->head.r,
					  seal->head.p};
	int err =
		rc_scrypt(passphrase, strlen(passphrase), seal->head.salt, sizeof(seal->head.salt),
			  params, WALLET_SCRYPT_MEMORY, seal->key, sizeof(seal->key));

	if (err < 0)
		return rc_error_set(error, err, "the wallet's key can't be made: %s",
				    rc_err_text(err));
	return RC_OK;
}

int wallet_seal_make(const uint8_t network_id[32], uint8_t log_n, const char *passphrase,
		     const struct rc_random *random, struct wallet_seal *ret_seal,
		     struct rc_error *error)
{
	memset(ret_seal, 0, sizeof(*ret_seal));
	memcpy(ret_seal->head.network_id, network_id, 32);
	ret_seal->head.log_n = log_n;
	ret_seal->head.r = 8;
	ret_seal->head.p = 1;
	rc_random_fill(random, ret_seal->head.salt, sizeof(ret_seal->head.salt));
	return derive(ret_seal, passphrase, error);
}

static void put_head(struct rc_buf *out, const struct wallet_head *head)
{
	rc_buf_put(out, magic, sizeof(magic));
	rc_buf_put_le16(out, WALLET_VERSION);
	rc_buf_put(out, head->network_id, sizeof(head->network_id));
	rc_buf_put_u8(out, head->log_n);
	rc_buf_put_le32(out, head->r);
	rc_buf_put_le32(out, head->p);
	rc_buf_put(out, head->salt, sizeof(head->salt));
}

static size_t put_plain(uint8_t plain[PLAIN_MAX], const struct wallet_data *data)
{
	uint8_t *p = plain;

	*p++ = data->entropy_len;
	memcpy(p, data->entropy, data->entropy_len);
	p += data->entropy_len;
	rc_put_le32(p, data->account);
	rc_put_le32(p + 4, data->next[0]);
	rc_put_le32(p + 8, data->next[1]);
	return (size_t)(p + 12 - plain);
}

void wallet_file_encode(const struct wallet_data *data, const struct wallet_seal *seal,
			const struct rc_random *random, struct rc_buf *out)
{
	struct rc_aead *aead = rc_aead_new();
	uint8_t plain[PLAIN_MAX], nonce[RC_AEAD_NONCE_SIZE], *sealed;
	struct rc_bytes part = {plain, put_plain(plain, data)};
	size_t start = out->len;

	put_head(out, &seal->head);
	rc_random_fill(random, nonce, sizeof(nonce));
	rc_buf_put(out, nonce, sizeof(nonce));
	rc_buf_put_le32(out, (uint32_t)(part.len + RC_AEAD_TAG_SIZE));
	assert(out->len - start == AD_SIZE);
	sealed = rc_buf_add(out, part.len + RC_AEAD_TAG_SIZE);
	rc_aead_set_key(aead, seal->key);
	rc_aead_seal(aead, nonce, out->data + start, AD_SIZE, &part, 1, sealed);
	rc_aead_free(aead);
	rc_wipe(plain, sizeof(plain));
}

static bool price_bounded(const struct wallet_head *head)
{
	return head->log_n >= LOG_N_MIN && head->log_n <= LOG_N_MAX && head->r >= 1 &&
	       head->r <= R_MAX && head->p >= 1 && head->p <= P_MAX;
}

int wallet_file_head(const uint8_t *file, size_t len, struct wallet_head *ret_head,
		     struct rc_error *error)
{
	struct rc_reader r = rc_reader_of(file, len);
	const uint8_t *found = rc_read_bytes(&r, sizeof(magic));
	struct wallet_head head;
	uint16_t version;
	uint32_t sealed_len;

	if (!found || memcmp(found, magic, sizeof(magic)) != 0)
		return rc_error_set(error, RC_EFORMAT, "not a wallet of rusty-wallet");
	version = rc_read_le16(&r);
	if (!r.failed && version != WALLET_VERSION)
		return rc_error_set(error, RC_EVERSION,
				    "made by another rusty-wallet: version %u of the file, this "
				    "program knows %u",
				    version, WALLET_VERSION);
	rc_read_into(&r, head.network_id, sizeof(head.network_id));
	head.log_n = rc_read_u8(&r);
	head.r = rc_read_le32(&r);
	head.p = rc_read_le32(&r);
	rc_read_into(&r, head.salt, sizeof(head.salt));
	rc_read_bytes(&r, RC_AEAD_NONCE_SIZE);
	sealed_len = rc_read_le32(&r);
	rc_read_bytes(&r, sealed_len);
	if (!rc_reader_end(&r) || sealed_len < RC_AEAD_TAG_SIZE + 1 ||
	    sealed_len > RC_AEAD_TAG_SIZE + PLAIN_MAX)
		return rc_error_set(error, RC_EFORMAT, "damaged: its length is wrong");
	if (!price_bounded(&head))
		return rc_error_set(error, RC_EFORMAT, "damaged: impossible scrypt parameters");
	*ret_head = head;
	return RC_OK;
}

static bool read_plain(const uint8_t *plain, size_t len, struct wallet_data *data)
{
	struct rc_reader r = rc_reader_of(plain, len);

	data->entropy_len = rc_read_u8(&r);
	if (data->entropy_len < RC_BIP39_ENTROPY_MIN || data->entropy_len > RC_BIP39_ENTROPY_MAX ||
	    data->entropy_len % 4)
		return false;
	rc_read_into(&r, data->entropy, data->entropy_len);
	data->account = rc_read_le32(&r);
	data->next[0] = rc_read_le32(&r);
	data->next[1] = rc_read_le32(&r);
	return rc_reader_end(&r) && data->account < RC_BIP32_HARDENED &&
	       data->next[0] < RC_BIP32_HARDENED && data->next[1] < RC_BIP32_HARDENED;
}

/* file has the right form. */
static int unseal(const uint8_t *file, size_t len, const uint8_t key[32],
		  struct wallet_data *ret_data, struct rc_error *error)
{
	struct rc_aead *aead = rc_aead_new();
	uint8_t plain[PLAIN_MAX];
	struct wallet_data data = {0};
	size_t sealed_len = len - AD_SIZE;
	int err = RC_OK;

	rc_aead_set_key(aead, key);
	if (!rc_aead_open(aead, file + HEAD_SIZE, file, AD_SIZE, file + AD_SIZE, sealed_len, plain))
		err = rc_error_set(error, RC_EDENIED, "wrong passphrase, or the file is damaged");
	else if (!read_plain(plain, sealed_len - RC_AEAD_TAG_SIZE, &data))
		err = rc_error_set(error, RC_EFORMAT, "not what this rusty-wallet writes");
	else
		*ret_data = data;
	rc_wipe(plain, sizeof(plain));
	rc_wipe(&data, sizeof(data));
	rc_aead_free(aead);
	return err;
}

int wallet_file_unseal(const uint8_t *file, size_t len, const struct wallet_seal *seal,
		       struct wallet_data *ret_data, struct rc_error *error)
{
	struct wallet_head head;
	int err = wallet_file_head(file, len, &head, error);

	return err < 0 ? err : unseal(file, len, seal->key, ret_data, error);
}

int wallet_file_open(const uint8_t *file, size_t len, const char *passphrase,
		     struct wallet_data *ret_data, struct wallet_seal *ret_seal,
		     struct rc_error *error)
{
	int err = wallet_file_head(file, len, &ret_seal->head, error);

	if (err == RC_OK)
		err = derive(ret_seal, passphrase, error);
	if (err == RC_OK)
		err = unseal(file, len, ret_seal->key, ret_data, error);
	if (err < 0)
		rc_wipe(ret_seal, sizeof(*ret_seal));
	return err;
}
