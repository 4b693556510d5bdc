/* Tests with one implementation of many hashes forced: RC_TEST_HASH=avx2 build/tests/test_tree. */
#ifndef RC_TEST_HASH_CHOICE_H
#define RC_TEST_HASH_CHOICE_H

/* A test's exit code where this CPU lacks what RC_TEST_HASH names. */
#define HASH_CHOICE_LACKING 77

/* Forces what RC_TEST_HASH names ("openssl", "avx2", "avx512") and says so on stderr; without it
 * nothing happens and the CPU's best one is used. Ends the process if that can't be. Whoever links
 * this file has it called before main: all unit tests (Makefile), and replay. */
void hash_choice(void) __attribute__((constructor));

#endif
