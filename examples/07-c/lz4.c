/*
 * LZ4 blocks: bytes in, bytes out. What `unpack` reads comes from anywhere, so that every length and every distance in
 * it may be a lie. A lie that the checks below missed would meet the walls of this memory, and nothing else.
 */
#define L3_MEMORY
#include "l3.h"

enum { MIN_MATCH = 4, HASH_BITS = 12, DISTANCE_MAX = 65535, LITERALS_AT_END = 12 };

/* Why the last `unpack` gave nothing. */
static const char *wrong = "";
static uint32_t wrong_length;
#define REFUSE(text) return wrong = text, wrong_length = sizeof(text) - 1, l3_give(0, 0)

static uint32_t word(const uint8_t *at) {
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Lengths of 15 and more go on in bytes of 255. */
static uint8_t *put_length(uint8_t *to, uint32_t length) {
  for (; length >= 255; length -= 255) *to++ = 255;
  *to++ = (uint8_t)length;
  return to;
}

static uint8_t *put_sequence(uint8_t *to, const uint8_t *literals, uint32_t count, uint32_t distance, uint32_t match) {
  uint8_t *token = to++;
  *token = (uint8_t)((count < 15 ? count : 15) << 4);
  if (count >= 15) to = put_length(to, count - 15);
  memcpy(to, literals, count);
  to += count;
  if (match == 0) return to;
  *to++ = (uint8_t)distance;
  *to++ = (uint8_t)(distance >> 8);
  match -= MIN_MATCH;
  *token |= match < 15 ? match : 15;
  return match >= 15 ? put_length(to, match - 15) : to;
}

/* Packs bytes into a block: greedy, by one table of where four bytes were seen last. */
l3_result L3_EXPORT(pack__b_b)(const uint8_t *in, uint32_t length) {
  L3_ACTIVATION;
  static uint32_t seen[1 << HASH_BITS];
  memset(seen, 0, sizeof seen);
  uint8_t *out = l3_room(length + length / 255 + 16);
  uint8_t *to = out;
  uint32_t done = 0;
  for (uint32_t at = 0; at + LITERALS_AT_END < length; at++) {
    uint32_t hash = word(in + at) * 2654435761u >> (32 - HASH_BITS);
    uint32_t from = seen[hash];
    seen[hash] = at + 1;
    if (from == 0 || at - --from > DISTANCE_MAX || word(in + from) != word(in + at)) continue;
    uint32_t match = MIN_MATCH;
    while (at + match + 5 < length && in[from + match] == in[at + match]) match++;
    to = put_sequence(to, in + done, at - done, at - from, match);
    done = at + match;
    at = done - 1;
  }
  to = put_sequence(to, in + done, length - done, 0, 0);
  return l3_give(out, (uint32_t)(to - out));
}

/* Reads what `put_length` wrote, added to `length`. False at the end of the block. */
static int take_length(const uint8_t **at, const uint8_t *end, uint32_t *length) {
  for (;;) {
    if (*at == end) return 0;
    uint8_t more = *(*at)++;
    if (*length > UINT32_MAX - more) return 0;
    *length += more;
    if (more < 255) return 1;
  }
}

/* Unpacks a block to at most `most` bytes. No bytes when it is not one; `error` says why. */
l3_result L3_EXPORT(unpack__bn_b)(const uint8_t *at, uint32_t length, uint32_t most) {
  L3_ACTIVATION;
  const uint8_t *end = at + length;
  uint8_t *out = l3_room(most);
  uint32_t made = 0;
  while (at < end) {
    uint8_t token = *at++;
    uint32_t literals = token >> 4;
    if (literals == 15 && !take_length(&at, end, &literals)) REFUSE("a length is cut off");
    if (literals > (uint32_t)(end - at)) REFUSE("the block ends within literals");
    if (literals > most - made) REFUSE("it is longer than allowed");
    memcpy(out + made, at, literals);
    made += literals;
    at += literals;
    if (at == end) return l3_give(out, made);
    if (end - at < 2) REFUSE("a distance is cut off");
    uint32_t distance = at[0] | (uint32_t)at[1] << 8;
    at += 2;
    uint32_t match = token & 15;
    if (match == 15 && !take_length(&at, end, &match)) REFUSE("a length is cut off");
    if (distance == 0 || distance > made) REFUSE("a match begins before the first byte");
    if (match > most - made || MIN_MATCH > most - made - match) REFUSE("it is longer than allowed");
    for (match += MIN_MATCH; match > 0; match--, made++) out[made] = out[made - distance];
  }
  REFUSE("there is no last literal");
}

l3_result L3_EXPORT(error___s)(void) {
  return l3_give(wrong, wrong_length);
}
