#ifndef _STDIO_H
#define _STDIO_H
#include <stdarg.h>
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
#define EOF (-1)
#define BUFSIZ 1024
typedef struct pvm_file FILE; /* standard output and standard error, by host call log; there is no input */
extern FILE *const stdin, *const stdout, *const stderr;
#define stdin stdin
#define stdout stdout
#define stderr stderr
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
int sprintf(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
int snprintf(char *to, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vprintf(const char *format, va_list list);
int vfprintf(FILE *file, const char *format, va_list list);
int vsprintf(char *to, const char *format, va_list list);
int vsnprintf(char *to, size_t n, const char *format, va_list list);
int puts(const char *s);
int fputs(const char *s, FILE *file);
int putchar(int c);
int putc(int c, FILE *file);
int fputc(int c, FILE *file);
size_t fwrite(const void *data, size_t size, size_t n, FILE *file);
int fflush(FILE *file);
int getc(FILE *file);
int fgetc(FILE *file);
int getchar(void);
char *fgets(char *to, int n, FILE *file);
int ungetc(int c, FILE *file);
FILE *fopen(const char *name, const char *mode); /* there are no files: NULL */
FILE *freopen(const char *name, const char *mode, FILE *file);
int fclose(FILE *file);
size_t fread(void *to, size_t size, size_t n, FILE *file);
void clearerr(FILE *file);
int feof(FILE *file);
int ferror(FILE *file);
void perror(const char *text);
#ifdef __cplusplus
}
#endif
#endif
