#include "symbol_words.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace grader {
namespace {

using Set = std::set<std::string_view>;

Set split(std::string_view text) {
  constexpr std::string_view blanks = " \n";
  Set words;
  for (auto from = text.find_first_not_of(blanks); from != std::string_view::npos;) {
    const auto to = std::min(text.find_first_of(blanks, from), text.size());
    words.insert(text.substr(from, to - from));
    from = text.find_first_not_of(blanks, to);
  }
  return words;
}

constexpr std::string_view process_words = R"(
fork vfork _Fork clone clone3 execl execle execlp execv execve execvp execvpe execveat fexecve
posix_spawn posix_spawnp system popen kill killpg tgkill tkill sigqueue ptrace setpgid setsid
daemon wait waitpid waitid wait3 wait4 prctl setrlimit prlimit unshare setns raise adjtimex
settimeofday clock_settime)";

constexpr std::string_view file_words = R"(
open open64 openat openat64 creat creat64 read write pread pread64 pwrite pwrite64 readv writev
fopen fopen64 fdopen freopen dup dup2 dup3 fcntl fcntl64 ioctl unlink unlinkat rename renameat
renameat2 fsync fdatasync ftruncate mkstemp flock close_range sendfile copy_file_range splice
close closefrom dprintf vdprintf remove mkdir rmdir link symlink truncate chmod mkfifo mknod
opendir readlink openat2 mkostemp mkdtemp tmpfile tmpnam tempnam preadv pwritev preadv2 pwritev2
lseek aio_read aio_write lio_listio setmntent getmntent ftw nftw fts_open scandir glob wordexp
vmsplice tee name_to_handle_at open_by_handle_at posix_openpt openpty getpt stat lstat fstat
fstatat newfstatat statx access faccessat utimensat futimens umask fchmod fchmodat chown fchown
getcwd chdir fchdir realpath readdir closedir dirfd fdopendir linkat symlinkat mkdirat
readlinkat fallocate posix_fallocate posix_fadvise sync syncfs fread fgets fgetc getc getline
getdelim ungetc fseek fseeko ftell ftello rewind feof ferror clearerr fclose fileno setvbuf
setbuf setlinebuf lockf statfs statvfs basename dirname mkstemps mkostemps getuid geteuid getgid
getegid)";

constexpr std::string_view network_words = R"(
socket socketpair connect bind listen accept accept4 send sendto sendmsg sendmmsg recv recvfrom
recvmsg recvmmsg setsockopt shutdown getaddrinfo gethostbyname getpeername getsockname
io_uring_setup pipe pipe2 freeaddrinfo gai_strerror getsockopt gethostname if_nametoindex)";

// Nothing opens these: they change a running program from the inside, or memory where no race
// detector sees it.
constexpr std::string_view inside_words = R"(
swab memfrob insque remque tsearch tdelete hsearch hsearch_r lsearch rand_r erand48 nrand48
jrand48 drand48_r erand48_r lrand48_r nrand48_r mrand48_r jrand48_r srand48_r seed48_r lcong48_r
ecvt_r fcvt_r random_r initstate_r dlopen_mode process_madvise pidfd_getfd arch_prctl brk sbrk
mincore dlopen dlmopen dlsym dlvsym dladdr dlinfo dl_iterate_phdr mprotect mmap mmap64 mremap
munmap process_vm_readv process_vm_writev memfd_create sigaction signal sigprocmask
pthread_sigmask pthread_kill siglongjmp longjmp _longjmp __longjmp_chk setenv putenv unsetenv
environ backtrace backtrace_symbols backtrace_symbols_fd __bss_start _end end _edata edata
_etext etext __data_start data_start __executable_start _DYNAMIC _IO_2_1_stdout_)";

// What changes no memory but where ThreadSanitizer intercepts it (strcat() is none of these, say),
// or what no two threads share, and nothing outside of the program.
constexpr std::string_view harmless_words = R"(
memcpy memmove memset memcmp memchr memrchr memmem bcmp bzero strlen strnlen strcmp strncmp
strcasecmp strncasecmp strchr strrchr strchrnul strstr strcasestr strcpy strncpy strspn strcspn
strpbrk strtok strdup strndup strerror strerror_r xpg_strerror_r strsignal strerrorname_np
strerrordesc_np wcslen wmemcmp wmemchr tolower toupper isalnum isalpha isblank iscntrl isdigit
isgraph islower isprint ispunct isspace isupper isxdigit ctype_b_loc ctype_tolower_loc
ctype_toupper_loc localeconv

malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign malloc_usable_size
malloc_trim abort exit _exit _Exit setjmp sigsetjmp quick_exit atexit at_quick_exit abs labs
llabs div ldiv lldiv atoi atol atoll atof strtol strtoul strtoll strtoull strtoimax strtoumax
strtod strtof rand srand random srandom lrand48 drand48 mrand48 srand48 getenv secure_getenv
qsort bsearch getrandom getentropy arc4random arc4random_uniform

printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf asprintf vasprintf puts
fputs putchar putc fputc fwrite fflush perror sscanf vsscanf stdout stderr stdin

time clock clock_gettime clock_getres clock_nanosleep nanosleep usleep sleep gettimeofday
localtime localtime_r gmtime gmtime_r mktime timegm strftime difftime timespec_get timer_create
timer_settime timer_gettime timer_delete timer_getoverrun timerfd_create timerfd_settime
timerfd_gettime

syscall getpid gettid getppid sched_yield sched_getcpu getcpu sched_getaffinity
sched_setaffinity sched_cpucount sched_cpualloc sched_cpufree sched_getscheduler
sched_setscheduler sched_getparam sched_setparam sched_get_priority_max sched_get_priority_min
sched_rr_get_interval get_nprocs get_nprocs_conf sysconf getpagesize getrusage times uname
sysinfo mallinfo2 getcontext setcontext makecontext swapcontext poll ppoll select
pselect epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd_read
eventfd_write once_proxy tls_get_addr sigemptyset sigfillset sigaddset sigdelset sigismember
inet_pton inet_ntop inet_addr htons htonl ntohs ntohl

atomic_load_16 atomic_store_16 atomic_exchange_16 atomic_compare_exchange_16 atomic_fetch_add_16
atomic_fetch_sub_16 atomic_fetch_and_16 atomic_fetch_or_16 atomic_fetch_xor_16 atomic_is_lock_free

udivti3 umodti3 divti3 modti3 multi3 muloti4 divmodti4 udivmodti4 floattidf floatuntidf floattisf
floatuntisf fixdfti fixunsdfti fixsfti fixunssfti powidf2 powisf2 popcountdi2 popcountti2 muldc3
divdc3 mulsc3 divsc3

sqrt sqrtf pow powf exp expf exp2 exp2f expm1 expm1f log logf log2 log2f log10 log10f log1p
log1pf sin sinf cos cosf tan tanf asin asinf acos acosf atan atanf atan2 atan2f sinh sinhf cosh
coshf tanh tanhf floor floorf ceil ceilf round roundf lround lroundf llround llroundf rint rintf
lrint lrintf llrint llrintf nearbyint nearbyintf trunc truncf fmod fmodf remainder remainderf
fabs fabsf fmax fmaxf fmin fminf fdim fdimf fma fmaf hypot hypotf cbrt cbrtf erf erff erfc erfcf
tgamma tgammaf ldexp ldexpf scalbn scalbnf copysign copysignf logb logbf ilogb ilogbf nextafter
nextafterf frexp frexpf modf modff remquo remquof lgamma lgammaf nan nanf isnan isnanf isinf
isinff finite finitef signbit signbitf fpclassify fpclassifyf)";

// Families without a member that harms, but for those that the lists above name.
constexpr auto harmless_prefixes = std::to_array<std::string_view>(
    {"pthread_", "sem_", "redis", "freeReplyObject", "PQ",
     // the language's own support, and the sanitizers'
     "__cxa_", "_Unwind_", "__gxx_", "__gcc_", "__sync_", "__dynamic_cast", "__tsan_", "__asan_",
     "__ubsan_", "__sanitizer_", "__lsan_", "__start_", "__stop_", "__cxx_", "__gmon_", "__dso_",
     "__stack_chk_", "__errno_", "__assert_", "__explorer_", "_ITM_", "__glibcxx_", "__once_"});

// Members of those families that the schedule explorer does not stand in for: one thread would wait
// in there for another one that has no turn. (Of C11's threads not even ThreadSanitizer hears.)
constexpr auto unseen_prefixes =
    std::to_array<std::string_view>({"pthread_spin_", "pthread_barrier_", "pthread_tryjoin",
                                     "pthread_timedjoin", "pthread_clockjoin"});

}  // namespace

bool is_of(CallGroup group, std::string_view name) {
  static const std::array<Set, 4> sets = {split(process_words), split(file_words),
                                          split(network_words), split(inside_words)};
  return sets.at(static_cast<std::size_t>(group)).contains(name);
}

bool is_known(std::string_view name) {
  static const Set words = split(harmless_words);
  using enum CallGroup;
  const auto begins_with = [&](std::string_view prefix) { return name.starts_with(prefix); };
  if (std::ranges::any_of(unseen_prefixes, begins_with)) return false;
  return words.contains(name) || is_of(processes, name) || is_of(files, name) ||
         is_of(network, name) || is_of(inside, name) ||
         std::ranges::any_of(harmless_prefixes, begins_with);
}

}  // namespace grader
