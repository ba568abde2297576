#include "ledger.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <utility>

#include "ledger_files.hpp"
#include "similarity.hpp"

namespace grader {
namespace {

constexpr auto kFolder = ".workbook";
constexpr auto kFile = "ledger.jsonl";
constexpr std::size_t kLargestLedger = 16U << 20U;
constexpr std::size_t kLargestVersion = 1U << 20U;

std::string now_in_utc() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

std::string version_name(const SavedVersion& version) {
  return fmt::format("{}-{}.hpp", version.number, version.hash.substr(0, 8));
}

std::string reason() {
  switch (errno) {
    case EROFS:
    case EACCES:
    case EPERM:
      return "this submission can't be written to";
    case ENOSPC:
    case EDQUOT:
      return "the disk is full";
    case EWOULDBLOCK:
      return "another grader has held it for ten seconds";
    case ELOOP:
    case ENOTDIR:
    case EINVAL:
      return ".workbook is not the plain folder it should be";
    case EFBIG:
      return "the ledger is larger than 16 MiB";
    default:
      return std::strerror(errno);
  }
}

}  // namespace

// The ledger opened for writing: locked against other graders, read afresh, its torn end mended.
class Ledger::Session {
 public:
  explicit Session(const std::filesystem::path& submission) {
    folder_ = open_workbook(submission, true);
    if (!folder_) return;
    constexpr int kFlags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    UniqueFd file(::openat(folder_.get(), kFile, kFlags, 0644));
    if (!file || !lock_exclusively(file.get())) return;
    std::string contents;
    if (!read_file_at(folder_.get(), kFile, contents, kLargestLedger)) return;
    text_ = parse_ledger(contents);
    if (!text_.torn.empty() && !mend(file.get())) return;
    ::fsync(folder_.get());
    file_ = std::move(file);
  }

  static UniqueFd open_workbook(const std::filesystem::path& submission, bool create) {
    const UniqueFd parent(::open(submission.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return parent ? open_folder(parent.get(), kFolder, create) : UniqueFd{};
  }

  explicit operator bool() const { return static_cast<bool>(file_); }
  int folder() const { return folder_.get(); }
  const LedgerText& text() const { return text_; }
  bool mended() const { return mended_; }

  bool append(const Entry& entry) {
    const auto line = ledger_line(entry, text_.last_hash);
    if (!append_all(file_.get(), line, static_cast<off_t>(text_.whole))) return false;
    const auto added = parse_ledger(line);
    text_.whole += line.size();
    text_.last_hash = added.last_hash;
    text_.entries.push_back(entry);
    return true;
  }

 private:
  // The torn piece is copied aside first and cut off then: killed in between, it is done again.
  bool mend(int fd) {
    if (!write_file_at(folder_.get(), "ledger.torn", text_.torn + "\n")) return false;
    if (::ftruncate(fd, static_cast<off_t>(text_.whole)) != 0) return false;
    text_.torn.clear();
    mended_ = true;
    return true;
  }

  UniqueFd folder_;
  UniqueFd file_;
  LedgerText text_;
  bool mended_ = false;
};

Ledger::Ledger(std::filesystem::path submission) : submission_(std::move(submission)) {
  const auto folder = Session::open_workbook(submission_, false);
  std::string contents;
  if (!folder) {
    if (errno != ENOENT) notice(fmt::format("The ledger can't be read: {}.", reason()));
    return;
  }
  if (read_file_at(folder.get(), kFile, contents, kLargestLedger)) {
    text_ = parse_ledger(contents);
  } else if (errno != ENOENT) {
    notice(fmt::format("The ledger can't be read: {}.", reason()));
  }
  if (!text_.changed_lines.empty()) {
    notice(fmt::format(
        "The ledger was changed by hand at line {}: what that line says does not count as earned.",
        text_.changed_lines.front()));
  }
}

bool Ledger::add(Event event, int task, int number, const std::string& hash) {
  Session session(submission_);
  const Entry entry{
      .at = now_in_utc(), .event = event, .task = task, .number = number, .hash = hash};
  const bool written = session && session.append(entry);
  if (!written) notice(fmt::format("The ledger was not kept up: {}.", reason()));
  if (session.mended()) {
    notice("A half-written line of the ledger was put aside as .workbook/ledger.torn.");
  }
  if (session) text_ = session.text();
  return written;
}

bool Ledger::keep_version(int task, const std::string& folder, std::string_view source,
                          const std::string& token_hash) {
  const auto is_kept = [&](const std::vector<Entry>& entries) {
    const auto versions = history(entries, task).versions;
    return std::ranges::any_of(versions, [&](const auto& kept) {
      return kept.hash == token_hash && version_file(folder, kept).has_value();
    });
  };
  if (is_kept(text_.entries)) return true;
  Session session(submission_);
  if (session && is_kept(session.text().entries)) return true;  // by another grader, just now

  const auto failed = [&] {
    notice(fmt::format("This version was not kept: {}.", reason()));
    return false;
  };
  if (!session) return failed();
  int latest = 0;
  for (const auto& kept : history(session.text().entries, task).versions) {
    latest = std::max(latest, kept.number);
  }
  const SavedVersion version{.number = latest + 1, .hash = token_hash};
  const auto versions = open_folder(session.folder(), "versions", true);
  if (!versions) return failed();
  const auto mine = open_folder(versions.get(), folder.c_str(), true);
  if (!mine || !write_file_at(mine.get(), version_name(version), source)) return failed();
  const Entry entry{.at = now_in_utc(),
                    .event = Event::version,
                    .task = task,
                    .number = version.number,
                    .hash = token_hash};
  if (!session.append(entry)) return failed();
  text_ = session.text();
  return true;
}

void Ledger::reject_version(int task, const std::string& token_hash) {
  const auto versions = of(task).versions;
  const auto version = std::ranges::find(versions, token_hash, &SavedVersion::hash);
  if (version == versions.end() || version->rejected) return;
  add(Event::rejected, task, version->number, token_hash);
}

std::optional<std::filesystem::path> Ledger::version_file(const std::string& folder,
                                                          const SavedVersion& version) const {
  const auto workbook = Session::open_workbook(submission_, false);
  if (!workbook) return std::nullopt;
  const auto versions = open_folder(workbook.get(), "versions", false);
  if (!versions) return std::nullopt;
  const auto mine = open_folder(versions.get(), folder.c_str(), false);
  std::string source;
  if (!mine || !read_file_at(mine.get(), version_name(version).c_str(), source, kLargestVersion)) {
    return std::nullopt;
  }
  if (token_hash(source) != version.hash) return std::nullopt;
  return submission_ / kFolder / "versions" / folder / version_name(version);
}

void Ledger::notice(std::string text) {
  if (std::ranges::find(notices_, text) == notices_.end()) notices_.push_back(std::move(text));
}

}  // namespace grader
