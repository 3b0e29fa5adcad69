/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program as a user: as UID PROGRAM WORDS... Its groups are UID and 100. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARED_GROUP	100

int main(int words, char **word)
{
	uid_t uid = words > 2 ? (uid_t)strtoul(word[1], NULL, 10) : 0;
	gid_t groups[] = { uid, SHARED_GROUP };

	if (words < 3) {
		fprintf(stderr, "usage: as UID PROGRAM WORDS...\n");
		return 2;
	}
	if (!setgroups(2, groups) && !setgid(uid) && !setuid(uid))
		execv(word[2], word + 2);
	fprintf(stderr, "as: %s: %s\n", word[2], strerror(errno));
	return 127;
}
