/* The arithmetic over all values of a layer, several lanes at a time.

   Compiled once for each level of processors; `LEVEL` ends the name of every function. A level
   only decides how many lanes there are: what a function returns is the same to the last bit on
   all of them, either since it is an exact integer or since its order of additions is fixed.
   Compile with -ffp-contract=off: a fused multiply-add rounds otherwise than two operations.

   Every function trusts the pointers and sizes that it is given. Its callers in Python make the
   arrays themselves, and check them; no size comes from a file. */

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX512IFMA__
#include <immintrin.h>
#endif

#define JOINED(name, level) name##_##level
#define NAMED(name, level) JOINED(name, level)
#define OWN(name) NAMED(name, LEVEL)
#define EXPORT __attribute__((visibility("default")))

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define LANES (BYTES / 8)

typedef double Doubles __attribute__((vector_size(BYTES)));
typedef int64_t Longs __attribute__((vector_size(BYTES)));
typedef float Floats __attribute__((vector_size(BYTES)));
typedef int32_t Ints __attribute__((vector_size(BYTES)));
/* What lies anywhere in an array of numbers. */
typedef double AnyDoubles __attribute__((vector_size(BYTES), aligned(8), may_alias));
typedef float AnyFloats __attribute__((vector_size(BYTES), aligned(4), may_alias));

/* The values of one participant, and what they are counted from. */
typedef struct {
    const void *values;
    int32_t wide; /* whether they are float64, and not float32 */
    int64_t stride; /* from one participant to the next, in values */
    const double *origin; /* NULL for nothing */
} Rows;

#define LEAST_EXPONENT (-900)
#define BLOCK 2048
/* Rows that are a multiple of a page apart would share the lines of the cache. */
#define ROW (BLOCK + 24)
/* Adding it to a number below 2^51 rounds it to an integer, in the low bits of the sum. */
#define MAGIC 0x1.8p52
#define INFINITE 0x7ff0000000000000
/* The bits of the largest float32, in both types. */
#define MOST_INT 0x7f7fffff
#define MOST_LONG 0x47efffffe0000000

static void copy_row(const Rows *rows, int64_t row, int64_t first, int64_t columns, double *out)
{
    const double *origin = rows->origin ? rows->origin + first : NULL;
    if (rows->wide) {
        const double *values = (const double *)rows->values + row * rows->stride + first;
        if (origin)
            for (int64_t c = 0; c < columns; c++) out[c] = values[c] - origin[c];
        else
            memcpy(out, values, (size_t)columns * sizeof *out);
    } else {
        const float *values = (const float *)rows->values + row * rows->stride + first;
        if (origin)
            for (int64_t c = 0; c < columns; c++) out[c] = (double)values[c] - origin[c];
        else
            for (int64_t c = 0; c < columns; c++) out[c] = values[c];
    }
}

/* Fill up with zeros to whole vectors, of which there are `ROW` / `LANES` at most. */
static int64_t padded(double *row, int64_t columns)
{
    int64_t whole = (columns + LANES - 1) / LANES * LANES;
    for (int64_t c = columns; c < whole; c++) row[c] = 0;
    return whole;
}

/* The bits of the largest magnitude: at least INFINITE where something is not finite. */
static int64_t largest_bits(const double *row, int64_t columns)
{
    Longs most = {0};
    for (int64_t c = 0; c < columns; c += LANES) {
        Longs bits = (Longs) * (const Doubles *)(row + c) & INT64_MAX;
        Longs more = bits > most;
        most = (bits & more) | (most & ~more);
    }
    int64_t found = 0;
    for (int lane = 0; lane < LANES; lane++)
        if (most[lane] > found) found = most[lane];
    return found;
}

static double from_bits(int64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Whether no value is beyond float32, infinite or no number. */
EXPORT int OWN(in_range)(const void *values, int64_t count, int wide)
{
    int64_t at = 0, bad = 0;
    if (wide) {
        const double *own = values;
        Longs any = {0};
        for (; at + LANES <= count; at += LANES)
            any |= ((Longs) * (const AnyDoubles *)(own + at) & INT64_MAX) > MOST_LONG;
        for (int lane = 0; lane < LANES; lane++) bad |= any[lane];
        for (; at < count; at++) bad |= !(fabs(own[at]) <= FLT_MAX);
    } else {
        const float *own = values;
        Ints any = {0};
        for (; at + 2 * LANES <= count; at += 2 * LANES)
            any |= ((Ints) * (const AnyFloats *)(own + at) & INT32_MAX) > MOST_INT;
        for (int lane = 0; lane < 2 * LANES; lane++) bad |= any[lane];
        for (; at < count; at++) bad |= !(fabsf(own[at]) <= FLT_MAX);
    }
    return !bad;
}

/* ---- Gram matrices of integers of 41 bits: see products.py ---- */

#define BITS 41
#define LOW_BITS 21
#define LOW_MASK ((INT64_C(1) << LOW_BITS) - 1)

/* How many rows, and how many others, are multiplied with each other at a time: as many as the
   registers hold sums of. */
#if defined(__AVX512IFMA__)
#define HIGH 3
#define WIDE 3
#elif defined(__AVX512F__)
#define HIGH 4
#define WIDE 4
#else
#define HIGH 4
#define WIDE 3
#endif

/* high·2^42 + low, rounded once, for 0 ≤ low < 2^42. */
static double rounded(int64_t high, int64_t low)
{
    return (double)high * 0x1p42 + (double)low;
}

static const double *row_of(const double *block, int64_t row, int64_t height, int64_t length)
{
    return block + (row < height ? row : height - 1) * length;
}

#ifdef __AVX512IFMA__

/* The processor multiplies integers of 52 bits: X + 2^51, as `MAGIC` leaves it. */

static void tile(const double *const x[HIGH], const double *const y[WIDE], int64_t columns,
                 __int128 sums[HIGH][WIDE])
{
    __m512i low[HIGH][WIDE], high[HIGH][WIDE];
    for (int i = 0; i < HIGH; i++)
        for (int j = 0; j < WIDE; j++) low[i][j] = high[i][j] = _mm512_setzero_si512();
    for (int64_t c = 0; c < columns; c += LANES) {
        __m512i left[HIGH];
        for (int i = 0; i < HIGH; i++) left[i] = _mm512_load_si512(x[i] + c);
        for (int j = 0; j < WIDE; j++) {
            __m512i right = _mm512_load_si512(y[j] + c);
            for (int i = 0; i < HIGH; i++) {
                low[i][j] = _mm512_madd52lo_epu64(low[i][j], left[i], right);
                high[i][j] = _mm512_madd52hi_epu64(high[i][j], left[i], right);
            }
        }
    }
    /* 2^11 summands of less than 2^52 each. */
    for (int i = 0; i < HIGH; i++)
        for (int j = 0; j < WIDE; j++)
            sums[i][j] = _mm512_reduce_add_epi64(high[i][j]) * ((__int128)1 << 52) +
                         _mm512_reduce_add_epi64(low[i][j]);
}

static void block_products(double *block, const int *exponents, int64_t height, int64_t columns,
                           double *products)
{
    for (int64_t i = 0; i < height; i++) {
        double *row = block + i * ROW, scale = ldexp(1.0, BITS - exponents[i]);
        Doubles sum = {0};
        for (int64_t c = 0; c < columns; c += LANES) {
            Doubles shifted = *(Doubles *)(row + c) * scale + MAGIC;
            sum += shifted - MAGIC;
            *(Doubles *)(row + c) = shifted;
        }
        /* The sum of the row's integers stands behind it. */
        row[BLOCK] = 0;
        for (int lane = 0; lane < LANES; lane++) row[BLOCK] += sum[lane];
    }
    for (int64_t i0 = 0; i0 < height; i0 += HIGH)
        for (int64_t j0 = i0 / WIDE * WIDE; j0 < height; j0 += WIDE) {
            const double *x[HIGH], *y[WIDE];
            __int128 sums[HIGH][WIDE];
            for (int i = 0; i < HIGH; i++) x[i] = row_of(block, i0 + i, height, ROW);
            for (int j = 0; j < WIDE; j++) y[j] = row_of(block, j0 + j, height, ROW);
            tile(x, y, columns, sums);
            for (int i = 0; i < HIGH; i++)
                for (int j = 0; j < WIDE; j++) {
                    if (j0 + j < i0 + i || j0 + j >= height) continue;
                    /* (X + b)·(Y + b) = X·Y + b·(X + Y) + b² */
                    __int128 both = (int64_t)x[i][BLOCK] + (int64_t)y[j][BLOCK];
                    __int128 exact = sums[i][j] - both * ((__int128)1 << 51) -
                                     columns * ((__int128)1 << 102);
                    products[(i0 + i) * height + j0 + j] =
                        rounded((int64_t)(exact >> 42), (int64_t)(exact & (((__int128)1 << 42) - 1)));
                }
        }
}

#else

/* Two integers for each value, of 20 bits and of 21, and their sum: three products give all four
   (Karatsuba), and their sums over a block are exact in float64. */
#define PART 512
#define PART_ROW (PART + 24)

/* Fused or not: exact sums are not rounded. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("fp-contract=fast")))
#endif
static void tile(const double *const x[HIGH], const double *const y[WIDE], int64_t columns,
                 double sums[HIGH][WIDE])
{
#ifdef __clang__
#pragma clang fp contract(fast)
#endif
    Doubles total[HIGH][WIDE] = {{{0}}};
    for (int64_t c = 0; c < columns; c += LANES) {
        Doubles left[HIGH];
        for (int i = 0; i < HIGH; i++) left[i] = *(const Doubles *)(x[i] + c);
        for (int j = 0; j < WIDE; j++) {
            Doubles right = *(const Doubles *)(y[j] + c);
            for (int i = 0; i < HIGH; i++) total[i][j] += left[i] * right;
        }
    }
    for (int i = 0; i < HIGH; i++)
        for (int j = 0; j < WIDE; j++) {
            sums[i][j] = 0;
            for (int lane = 0; lane < LANES; lane++) sums[i][j] += total[i][j][lane];
        }
}

/* Add the products of all pairs of rows, each of length `PART_ROW`. */
static void add_products(const double *rows, int64_t height, int64_t columns, double *products)
{
    for (int64_t i0 = 0; i0 < height; i0 += HIGH)
        for (int64_t j0 = i0 / WIDE * WIDE; j0 < height; j0 += WIDE) {
            const double *x[HIGH], *y[WIDE];
            double sums[HIGH][WIDE];
            for (int i = 0; i < HIGH; i++) x[i] = row_of(rows, i0 + i, height, PART_ROW);
            for (int j = 0; j < WIDE; j++) y[j] = row_of(rows, j0 + j, height, PART_ROW);
            tile(x, y, columns, sums);
            for (int i = 0; i < HIGH && i0 + i < height; i++)
                for (int j = 0; j < WIDE && j0 + j < height; j++)
                    products[(i0 + i) * height + j0 + j] += sums[i][j];
        }
}

static void block_products(double *block, const int *exponents, int64_t height, int64_t columns,
                           double *products)
{
    double *high = block + height * ROW, *low = high + height * PART_ROW;
    double *both = low + height * PART_ROW, *lows = both + height * PART_ROW;
    double *boths = lows + height * height;
    memset(products, 0, (size_t)(height * height) * sizeof *products);
    memset(lows, 0, 2 * (size_t)(height * height) * sizeof *lows);
    for (int64_t first = 0; first < columns; first += PART) {
        int64_t width = columns - first < PART ? columns - first : PART;
        for (int64_t i = 0; i < height; i++) {
            double scale = ldexp(1.0, BITS - LOW_BITS - exponents[i]);
            for (int64_t c = 0; c < width; c += LANES) {
                Doubles value = *(Doubles *)(block + i * ROW + first + c) * scale;
                Doubles top = value + MAGIC - MAGIC;
                Doubles rest = (value - top) * 0x1p21 + MAGIC - MAGIC;
                *(Doubles *)(high + i * PART_ROW + c) = top;
                *(Doubles *)(low + i * PART_ROW + c) = rest;
                *(Doubles *)(both + i * PART_ROW + c) = top + rest;
            }
        }
        add_products(high, height, width, products);
        add_products(low, height, width, lows);
        add_products(both, height, width, boths);
    }
    for (int64_t at = 0; at < height * height; at++) {
        int64_t top = (int64_t)products[at], bottom = (int64_t)lows[at];
        int64_t middle = (int64_t)boths[at] - top - bottom + (bottom >> LOW_BITS);
        products[at] = rounded(top + (middle >> LOW_BITS),
                               ((middle & LOW_MASK) << LOW_BITS) | (bottom & LOW_MASK));
    }
}

#endif

/* How many float64 `gram` needs to work in, which start at a multiple of 64 bytes. */
EXPORT int64_t OWN(gram_scratch)(int64_t height)
{
#ifdef __AVX512IFMA__
    return height * ROW + height * height;
#else
    return height * (ROW + 3 * PART_ROW) + 3 * height * height;
#endif
}

/* Add X·Xᵀ over blocks of columns to a compensated sum of shape (height, height).

   The rows of X are those of n participants less their origin, and `extra` more as they are.
   Returns 1 where something is not finite, and the sum is then of no use. */
EXPORT int OWN(gram)(const Rows *rows, int64_t n, int64_t columns, const double *const *more,
                     int64_t extra, double *scratch, int *exponents, double *sum, double *lost)
{
    int64_t height = n + extra;
    double *products = scratch + OWN(gram_scratch)(height) - height * height;
    for (int64_t first = 0; first < columns; first += BLOCK) {
        int64_t width = columns - first < BLOCK ? columns - first : BLOCK, whole = width;
        for (int64_t i = 0; i < height; i++) {
            double *row = scratch + i * ROW;
            if (i < n)
                copy_row(rows, i, first, width, row);
            else
                memcpy(row, more[i - n] + first, (size_t)width * sizeof *row);
            whole = padded(row, width);
            int64_t bits = largest_bits(row, whole);
            if (bits >= INFINITE) return 1;
            frexp(from_bits(bits), &exponents[i]);
            if (exponents[i] < LEAST_EXPONENT) exponents[i] = LEAST_EXPONENT;
        }
        block_products(scratch, exponents, height, whole, products);
        for (int64_t i = 0; i < height; i++)
            for (int64_t j = i; j < height; j++) {
                int64_t at = i * height + j;
                double part = ldexp(products[at], exponents[i] + exponents[j] - 2 * BITS);
                double before = sum[at], after = before + part, added = after - before;
                lost[at] += (before - (after - added)) + (part - added);
                sum[at] = after;
            }
    }
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < i; j++) {
            sum[i * height + j] = sum[j * height + i];
            lost[i * height + j] = lost[j * height + i];
        }
    return 0;
}

/* ---- What a coordinate says by the values of all participants: see columns.py ---- */

/* Put in order what two rows of vectors hold: the smaller values in the first. */
#define COMPARE(Vector, Mask, first, second)                                  \
    do {                                                                      \
        Vector one = *(first), other = *(second);                             \
        Mask less = one < other;                                              \
        *(first) = (Vector)(((Mask)one & less) | ((Mask)other & ~less));      \
        *(second) = (Vector)(((Mask)other & less) | ((Mask)one & ~less));     \
    } while (0)

/* Zero is positive: of zeros of both signs any may be in the middle. */
static double middle_of(double low, double high, int two)
{
    return (two ? (low + high) / 2 : low) + 0.0;
}

/* Write the median of each column to `out`. `pairs` holds the comparisons of a sorting network,
   without those that do not matter for the middle; `scratch` has room for n vectors. */
EXPORT void OWN(medians)(const Rows *rows, int64_t n, int64_t columns, const uint16_t *pairs,
                         int64_t count, void *scratch, double *out)
{
    int64_t item = rows->wide ? 8 : 4, lanes = BYTES / item;
    int64_t low = (n - 1) / 2, high = n / 2;
    for (int64_t first = 0; first < columns; first += lanes) {
        int64_t width = columns - first < lanes ? columns - first : lanes;
        if (width < lanes) memset(scratch, 0, (size_t)(n * BYTES));
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)scratch + i * BYTES,
                   (const char *)rows->values + (i * rows->stride + first) * item,
                   width == lanes ? BYTES : (size_t)(width * item));
        if (rows->wide) {
            Doubles *sorted = scratch;
            for (int64_t at = 0; at < count; at++)
                COMPARE(Doubles, Longs, sorted + pairs[2 * at], sorted + pairs[2 * at + 1]);
            for (int64_t c = 0; c < width; c++)
                out[first + c] = middle_of(sorted[low][c], sorted[high][c], low != high);
        } else {
            Floats *sorted = scratch;
            for (int64_t at = 0; at < count; at++)
                COMPARE(Floats, Ints, sorted + pairs[2 * at], sorted + pairs[2 * at + 1]);
            for (int64_t c = 0; c < width; c++)
                out[first + c] = middle_of(sorted[low][c], sorted[high][c], low != high);
        }
    }
}

/* Add to `agrees` in how many columns each participant moves as the majority does; returns how
   many columns have one. `lead` has room for a block. */
EXPORT int64_t OWN(signs)(const Rows *rows, int64_t n, int64_t columns, int32_t *lead,
                          double *row, int64_t *agrees)
{
    int64_t found = 0;
    for (int64_t first = 0; first < columns; first += BLOCK) {
        int64_t width = columns - first < BLOCK ? columns - first : BLOCK;
        memset(lead, 0, BLOCK * sizeof *lead);
        for (int64_t i = 0; i < n; i++) {
            copy_row(rows, i, first, width, row);
            for (int64_t c = 0; c < width; c++) lead[c] += (row[c] > 0) - (row[c] < 0);
        }
        for (int64_t c = 0; c < width; c++) {
            found += lead[c] != 0;
            lead[c] = (lead[c] > 0) - (lead[c] < 0);
        }
        for (int64_t i = 0; i < n; i++) {
            int32_t same = 0;
            copy_row(rows, i, first, width, row);
            for (int64_t c = 0; c < width; c++)
                same += (lead[c] != 0) & (lead[c] == (row[c] > 0) - (row[c] < 0));
            agrees[i] += same;
        }
    }
    return found;
}

/* A sum in the order of NumPy's: of eight interleaved parts, and of halves where it is long. */
static double pairwise(const double *values, int64_t count)
{
    if (count < 8) {
        double sum = count ? values[0] : 0;
        for (int64_t at = 1; at < count; at++) sum += values[at];
        return sum;
    }
    if (count > 128) {
        int64_t half = count / 2 / 8 * 8;
        return pairwise(values, half) + pairwise(values + half, count - half);
    }
    double part[8];
    memcpy(part, values, sizeof part);
    int64_t at = 8;
    for (; at < count / 8 * 8; at += 8)
        for (int lane = 0; lane < 8; lane++) part[lane] += values[at + lane];
    double sum = ((part[0] + part[1]) + (part[2] + part[3])) +
                 ((part[4] + part[5]) + (part[6] + part[7]));
    for (; at < count; at++) sum += values[at];
    return sum;
}

/* Square a row of differences and add it up by runs, each of which ends where the next starts. */
static void run_squares(const Rows *rows, int64_t i, int64_t first, const int64_t *starts,
                        int64_t runs, double *row, double *sums)
{
    int64_t columns = starts[runs];
    copy_row(rows, i, first, columns, row);
    for (int64_t c = 0; c < columns; c++) row[c] *= row[c];
    for (int64_t at = 0; at < runs; at++) {
        int64_t start = starts[at];
        sums[at] = row[start] + pairwise(row + start + 1, starts[at + 1] - start - 1);
    }
}

/* Write the sum of squares of each run of columns of a block, shape (n, runs), to `sums`. The
   first run starts at column 0, and `starts` has the end of the last one behind it. */
EXPORT void OWN(squares)(const Rows *rows, int64_t n, const int64_t *starts, int64_t runs,
                         double *row, double *sums)
{
    for (int64_t i = 0; i < n; i++) run_squares(rows, i, 0, starts, runs, row, sums + i * runs);
}

/* Add the squares of the columns of some blocks to the parts of a layer's side: see sides.py. The
   first column has the number `first` in the layer; every `every`th block is taken. */
EXPORT void OWN(side)(const Rows *rows, int64_t n, int64_t columns, int64_t first, int64_t every,
                      int64_t period, int64_t run, int64_t parts, int64_t *starts, double *row,
                      double *sums, double *turns, double *total)
{
    for (int64_t start = 0; start < columns; start += BLOCK) {
        if ((first + start) / BLOCK % every) continue;
        int64_t width = columns - start < BLOCK ? columns - start : BLOCK, runs = 0;
        int64_t place = (first + start) % period, part = place / run;
        for (int64_t c = 0; c < width;) {
            int64_t left = run - place % run < period - place ? run - place % run : period - place;
            starts[runs++] = c;
            c += left;
            place = (place + left) % period;
        }
        starts[runs] = width;
        int64_t head = parts - part < runs ? parts - part : runs;
        int64_t whole = (runs - head) / parts, tail = (runs - head) % parts;
        for (int64_t i = 0; i < n; i++) {
            double *own = total + i * parts;
            const double *next = sums + head;
            run_squares(rows, i, start, starts, runs, row, sums);
            for (int64_t at = 0; at < head; at++) own[part + at] += sums[at];
            for (int64_t turn = 0; turn < whole; turn++, next += parts)
                for (int64_t at = 0; at < parts; at++)
                    turns[at] = turn ? turns[at] + next[at] : next[at];
            for (int64_t at = 0; whole && at < parts; at++) own[at] += turns[at];
            for (int64_t at = 0; at < tail; at++) own[at] += next[at];
        }
    }
}

/* ---- Fragments of d values, less the mean of all participants: see fragments.py ---- */

/* How many fragments of each participant are gone over at a time, and of how many participants
   half as many: their rows fit no cache in any case, and are memory that each thread needs. */
#define STRIP 64
#define MANY 4096
/* The values of a kernel of 3×3, for which a compiler makes code of its own. */
#define USUAL 9
/* How many vectors of distances are found at a time. */
#define FEW 4
#define INLINE static inline __attribute__((always_inline))
/* Of how many participants the products of a strip are added before the sum is compensated. */
#define TOGETHER 4

/* The bytes of a line of the cache. */
#define LINE 64

/* Write the differences of n participants in some columns to the rows of `out`, `length` apart,
   and have the columns that follow fetched. */
static void differences(const Rows *rows, int64_t n, int64_t first, int64_t columns,
                        int64_t length, double *out)
{
    /* The processor's own guess ends with a page, and of so many rows it makes none. */
    int64_t bytes = columns * (rows->wide ? 8 : 4);
    for (int64_t i = 0; i < n; i++) {
        const char *next = (const char *)rows->values + (i * rows->stride + first + columns) *
                                                            (rows->wide ? 8 : 4);
        for (int64_t at = 0; at < bytes; at += LINE) __builtin_prefetch(next + at);
        copy_row(rows, i, first, columns, out + i * length);
    }
}

/* Take away the mean of n rows. It is a tree of additions of halves, as in fragments.py; `sums`
   has room for the larger half. */
static void centre(int64_t n, int64_t columns, int64_t length, double *rows, double *sums)
{
    int64_t count = n, half = (n + 1) / 2;
    for (int64_t i = 0; i < half; i++) {
        double *sum = sums + i * length;
        const double *row = rows + i * length, *other = rows + (i + half) * length;
        if (i + half < n)
            for (int64_t c = 0; c < columns; c++) sum[c] = row[c] + other[c];
        else
            memcpy(sum, row, (size_t)columns * sizeof *sum);
    }
    while (half > 1) {
        count = half;
        half = (half + 1) / 2;
        for (int64_t i = 0; i + half < count; i++)
            for (int64_t c = 0; c < columns; c++)
                sums[i * length + c] += sums[(i + half) * length + c];
    }
    for (int64_t c = 0; c < columns; c++) sums[c] /= (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < columns; c++) rows[i * length + c] -= sums[c];
}

/* How many fragments a strip has: whole vectors of distances, see `FEW`. */
static int64_t strip_of(int64_t n) { return n < MANY ? STRIP : STRIP / 2; }

/* How many values apart the rows of a strip are: some behind each may be read, and are not used. */
static int64_t strip_length(int64_t n, int64_t d)
{
    return (strip_of(n) * d + 7) / 8 * 8 + 8;
}

/* How many float64 `moments` and `distances` need to work in. */
EXPORT int64_t OWN(strip_scratch)(int64_t n, int64_t d)
{
    return (n + (n + 1) / 2) * strip_length(n, d) + d * (d + 8) + STRIP * d;
}

/* Eight sums of every eighth value, whatever the lanes. */
static double sum_of_squares(const double *row, int64_t columns)
{
    Doubles sums[8 / LANES] = {{0}};
    double part[8];
    int64_t c = 0;
    for (; c + 8 <= columns; c += 8)
        for (int at = 0; at < 8 / LANES; at++) {
            Doubles value = *(const AnyDoubles *)(row + c + at * LANES);
            sums[at] += value * value;
        }
    memcpy(part, sums, sizeof part);
    for (; c < columns; c++) part[c & 7] += row[c] * row[c];
    return ((part[0] + part[4]) + (part[2] + part[6])) +
           ((part[1] + part[5]) + (part[3] + part[7]));
}

#define DEEP 8

/* Add x_a·x_b over the fragments of a row, for up to `DEEP` coordinates a from `top`, and as many b
   from `left` as there are lanes. */
static inline void add_pairs(const double *row, int64_t fragments, int64_t d, int64_t top, int64_t deep,
                      int64_t left, double *sums, int64_t length)
{
    Doubles total[DEEP];
    if (deep == DEEP) {
        for (int a = 0; a < DEEP; a++) total[a] = *(const AnyDoubles *)(sums + (top + a) * length + left);
        for (int64_t f = 0; f < fragments; f++) {
            Doubles right = *(const AnyDoubles *)(row + f * d + left);
            for (int a = 0; a < DEEP; a++) total[a] += row[f * d + top + a] * right;
        }
        for (int a = 0; a < DEEP; a++) *(AnyDoubles *)(sums + (top + a) * length + left) = total[a];
        return;
    }
    for (int64_t a = 0; a < deep; a++) {
        Doubles one = *(const AnyDoubles *)(sums + (top + a) * length + left);
        for (int64_t f = 0; f < fragments; f++)
            one += row[f * d + top + a] * *(const AnyDoubles *)(row + f * d + left);
        *(AnyDoubles *)(sums + (top + a) * length + left) = one;
    }
}

/* Add Σ x·xᵀ over all fragments of some columns to a compensated sum of shape (d, d), of which
   the lower triangle is right, and the squares of the differences to `squares`. Every entry is
   off by at most `STRIP`·`TOGETHER` + 2 roundings of the sum of its magnitudes. */
INLINE void moments(const Rows *rows, int64_t n, int64_t fragments, int64_t d, double *scratch,
                    double *sum, double *lost, double *squares)
{
    int64_t length = strip_length(n, d), strip = strip_of(n), wide = d + 8;
    double *sums = scratch + n * length, *products = sums + (n + 1) / 2 * length;
    for (int64_t at = 0; at < n * length; at++) scratch[at] = 0;
    for (int64_t first = 0; first < fragments; first += strip) {
        int64_t count = fragments - first < strip ? fragments - first : strip;
        differences(rows, n, first * d, count * d, length, scratch);
        for (int64_t i = 0; i < n; i++) {
            squares[i] += sum_of_squares(scratch + i * length, count * d);
        }
        centre(n, count * d, length, scratch, sums);
        for (int64_t i0 = 0; i0 < n; i0 += TOGETHER) {
            for (int64_t at = 0; at < d * wide; at++) products[at] = 0;
            for (int64_t left = 0; left < d; left += LANES)
                for (int64_t top = left; top < d; top += DEEP) {
                    int64_t deep = d - top < DEEP ? d - top : DEEP;
                    for (int64_t i = i0; i < n && i < i0 + TOGETHER; i++)
                        add_pairs(scratch + i * length, count, d, top, deep, left, products, wide);
                }
            for (int64_t a = 0; a < d; a++)
                for (int64_t b = 0; b <= a; b++) {
                    double part = products[a * wide + b], before = sum[a * d + b];
                    double after = before + part, added = after - before;
                    lost[a * d + b] += (before - (after - added)) + (part - added);
                    sum[a * d + b] = after;
                }
        }
    }
}

/* Lay the values of some fragments one coordinate after the other; behind them is anything, and
   what is made of that is not used. One by one: collecting them into vectors is slower on most
   processors. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("no-tree-vectorize")))
#endif
static inline void turn(const double *row, int64_t fragments, int64_t d, double *turned)
{
    for (int64_t f = 0; f < fragments; f++)
        for (int64_t a = 0; a < d; a++) turned[a * STRIP + f] = row[f * d + a];
}

EXPORT void OWN(moments)(const Rows *rows, int64_t n, int64_t fragments, int64_t d, double *scratch,
                         double *sum, double *lost, double *squares)
{
    if (d == USUAL)
        moments(rows, n, fragments, USUAL, scratch, sum, lost, squares);
    else
        moments(rows, n, fragments, d, scratch, sum, lost, squares);
}

/* Write ‖W·x‖² of each fragment to `out`, whose rows are `out_stride` apart. W has shape (rank, d).
   Returns the bits of the largest. */
INLINE int64_t distances(const Rows *rows, int64_t n, int64_t fragments, int64_t d,
                         const double *matrix, int64_t rank, double *scratch, double *out,
                         int64_t out_stride)
{
    int64_t length = strip_length(n, d), strip = strip_of(n), most = 0;
    double *sums = scratch + n * length, *turned = sums + (n + 1) / 2 * length + d * (d + 8);
    for (int64_t first = 0; first < fragments; first += strip) {
        int64_t count = fragments - first < strip ? fragments - first : strip;
        differences(rows, n, first * d, count * d, length, scratch);
        centre(n, count * d, length, scratch, sums);
        for (int64_t i = 0; i < n; i++) {
            const double *row = scratch + i * length;
            double found[STRIP];
            turn(row, count, d, turned);
            for (int64_t f = 0; f < count; f += FEW * LANES) {
                Doubles sums_of_squares[FEW] = {{0}};
                for (int64_t r = 0; r < rank; r++) {
                    Doubles white[FEW] = {{0}};
                    for (int64_t a = 0; a < d; a++) {
                        const double *place = turned + a * STRIP + f;
                        double weight = matrix[r * d + a];
                        /* The matrix is a triangle with its columns in another order. */
                        if (weight == 0) continue;
                        for (int at = 0; at < FEW; at++)
                            white[at] += weight * *(const AnyDoubles *)(place + at * LANES);
                    }
                    for (int at = 0; at < FEW; at++) sums_of_squares[at] += white[at] * white[at];
                }
                for (int at = 0; at < FEW; at++)
                    *(AnyDoubles *)(found + f + at * LANES) = sums_of_squares[at];
            }
            memcpy(out + i * out_stride + first, found, (size_t)count * sizeof *found);
            int64_t bits = 0;
            for (int64_t f = 0; f < count; f++) {
                int64_t own;
                memcpy(&own, found + f, sizeof own);
                bits = own > bits ? own : bits;
            }
            most = bits > most ? bits : most;
        }
    }
    return most;
}

EXPORT int64_t OWN(distances)(const Rows *rows, int64_t n, int64_t fragments, int64_t d,
                              const double *matrix, int64_t rank, double *scratch, double *out,
                              int64_t out_stride)
{
    if (d == USUAL && rank == USUAL)
        return distances(rows, n, fragments, USUAL, matrix, USUAL, scratch, out, out_stride);
    return distances(rows, n, fragments, d, matrix, rank, scratch, out, out_stride);
}

/* Write ‖L⁻¹·x‖² of each column x of `right`, of shape (rank, columns), to `squared`; L has shape
   (rank, rank). Every element goes through its operations in the order of forward substitution.
   `solved` has room for rank times `STRIP`. */
EXPORT void OWN(solve)(const double *factor, int64_t rank, const double *right, int64_t columns,
                       double *solved, double *squared)
{
    for (int64_t first = 0; first < columns; first += STRIP) {
        int64_t width = columns - first < STRIP ? columns - first : STRIP;
        double sums[STRIP] = {0};
        for (int64_t k = 0; k < rank; k++) {
            double *own = solved + k * STRIP;
            memcpy(own, right + k * columns + first, (size_t)width * sizeof *own);
            for (int64_t f = width; f < STRIP; f++) own[f] = 0;
            for (int64_t f = 0; f < STRIP; f += FEW * LANES) {
                Doubles rest[FEW];
                for (int at = 0; at < FEW; at++) rest[at] = *(AnyDoubles *)(own + f + at * LANES);
                for (int64_t step = 0; step < k; step++) {
                    double weight = factor[k * rank + step];
                    const double *known = solved + step * STRIP + f;
                    for (int at = 0; at < FEW; at++)
                        rest[at] -= weight * *(const AnyDoubles *)(known + at * LANES);
                }
                for (int at = 0; at < FEW; at++) {
                    Doubles found = rest[at] / factor[k * rank + k];
                    *(AnyDoubles *)(own + f + at * LANES) = found;
                    *(AnyDoubles *)(sums + f + at * LANES) += found * found;
                }
            }
        }
        memcpy(squared + first, sums, (size_t)width * sizeof *sums);
    }
}

#define PANEL 16

static void swap(double *one, double *other)
{
    double kept = *one;
    *one = *other;
    *other = kept;
}

/* How many float64 `cholesky` needs to work in. */
EXPORT int64_t OWN(cholesky_scratch)(int64_t d)
{
    return d + PANEL * (d + 8);
}

/* Factor a covariance of shape (d, d), of which the lower triangle is overwritten: L goes to
   `factor`, of shape (d, d) and zero at first, and to `order` the coordinates in the order of the
   pivots. Returns the rank: what is left of the others is at most `least`. Every element goes
   through its operations in the order of the plain algorithm, a panel of them at a time. */
EXPORT int64_t OWN(cholesky)(double *left, int64_t d, double least, double *scratch, double *factor,
                             int64_t *order)
{
    double *diagonal = scratch, *panel = scratch + d;
    int64_t length = d + 8;
    for (int64_t i = 0; i < d; i++) {
        diagonal[i] = left[i * d + i];
        order[i] = i;
    }
    for (int64_t start = 0; start < d; start += PANEL) {
        int64_t stop = d - start < PANEL ? d : start + PANEL;
        for (int64_t k = start; k < stop; k++) {
            int64_t p = k;
            for (int64_t i = k + 1; i < d; i++)
                if (diagonal[i] > diagonal[p] || (isnan(diagonal[i]) && !isnan(diagonal[p]))) p = i;
            if (diagonal[p] <= least) return k;
            if (p != k) {
                int64_t number = order[k];
                order[k] = order[p];
                order[p] = number;
                swap(diagonal + k, diagonal + p);
                for (int64_t s = 0; s < k; s++) swap(factor + k * d + s, factor + p * d + s);
                for (int64_t i = k + 1; i < p; i++) swap(left + i * d + k, left + p * d + i);
                for (int64_t i = p + 1; i < d; i++) swap(left + i * d + k, left + i * d + p);
            }
            double root = sqrt(diagonal[k]);
            factor[k * d + k] = diagonal[k] / root;
            for (int64_t i = k + 1; i < d; i++) {
                double value = left[i * d + k];
                for (int64_t s = start; s < k; s++) value -= factor[i * d + s] * factor[k * d + s];
                value /= root;
                factor[i * d + k] = value;
                diagonal[i] -= value * value;
            }
        }
        for (int64_t s = start; s < stop; s++)
            for (int64_t i = stop; i < d; i++) panel[(s - start) * length + i] = factor[i * d + s];
        for (int64_t i = stop; i < d; i++) {
            int64_t j = stop;
            for (; j + LANES <= i; j += LANES) {
                Doubles rest = *(AnyDoubles *)(left + i * d + j);
                for (int64_t s = start; s < stop; s++)
                    rest -= factor[i * d + s] * *(AnyDoubles *)(panel + (s - start) * length + j);
                *(AnyDoubles *)(left + i * d + j) = rest;
            }
            for (; j < i; j++)
                for (int64_t s = start; s < stop; s++)
                    left[i * d + j] -= factor[i * d + s] * factor[j * d + s];
        }
    }
    return d;
}

/* The bin of a squared distance: its leading bits. */
static int64_t bin_of(double squared, int64_t first, int dropped, int64_t bins)
{
    int64_t bits;
    memcpy(&bits, &squared, sizeof bits);
    bits = (bits >> dropped) - first;
    return bits < 0 ? 0 : bits >= bins ? bins - 1 : bits;
}

/* Count squared distances by bins. */
EXPORT void OWN(count)(const double *squared, int64_t size, int64_t first, int dropped, int64_t bins,
                       int64_t *counts)
{
    for (int64_t at = 0; at < size; at++) counts[bin_of(squared[at], first, dropped, bins)]++;
}

/* Count squared distances by the parts that their bins are in, and write the places of those in
   odd parts to `places`; returns how many these are. */
EXPORT int64_t OWN(take)(const double *squared, int64_t size, int64_t first, int dropped,
                         int64_t bins, const int32_t *parts, int64_t *counts, int64_t *places)
{
    int64_t found = 0;
    for (int64_t at = 0; at < size; at++) {
        int32_t part = parts[bin_of(squared[at], first, dropped, bins)];
        counts[part]++;
        places[found] = at;
        found += part & 1;
    }
    return found;
}

#ifdef SOURCE
/* Of what the library was made. */
EXPORT const char *source(void)
{
    return SOURCE;
}

/* The number of the highest level that the processor has, from 0. */
EXPORT int level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return 1;
    return __builtin_cpu_supports("avx512ifma") ? 3 : 2;
#else
    return 0;
#endif
}
#endif
