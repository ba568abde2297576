#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "process.hpp"

namespace grader {

// What a boxed program may see and use, besides the read-only system, an empty /tmp, and itself.
struct Box {
  struct Mount {
    std::filesystem::path from;  // absolute
    std::filesystem::path to;    // absolute, inside
    bool writable = false;
  };
  std::vector<Mount> mounts;
  std::filesystem::path directory;       // where the program starts, inside
  std::vector<std::string> environment;  // "NAME=value", besides PATH, HOME and TMPDIR
  std::uint64_t tmp_bytes = 64 << 20;
  // Limits that hold for each process in the box.
  unsigned threads = 16384;  // of all its processes together
  unsigned cpu_seconds = 120;
  std::uint64_t file_bytes = 16 << 20;
  unsigned open_files = 1024;
  bool processes = true;  // whether it may start other processes
  bool network = false;   // the machine's own; without it there is nobody to talk to
};

// How programs are kept apart from the machine. Each run is a bubblewrap of its own: no network, no
// home, no other process to see, nothing to write to but what the box lists; it dies with us.
class Sandbox {
 public:
  // The last words of a box that did not get as far as its program; empty: it did. What the program
  // prints is nobody's word but its own.
  static std::string trouble(const ProcessResult& result);

  enum class Mode {
    none,     // the kernel forbids it: resource limits only
    user,     // we are an ordinary user
    dropped,  // we are root, and become nobody first
    root,     // we are root, and nobody cannot reach the build folder: all capabilities dropped
  };

  // Tries what works here, with a probe below build_dir (some 20 ms).
  static Sandbox probe(const std::filesystem::path& build_dir);

  Mode mode() const { return mode_; }
  bool active() const { return mode_ != Mode::none; }
  // Why there is none: for the notice.
  const std::string& reason() const { return reason_; }

  // The path at which a mounted folder is seen by the program: `inside` in a box, else `outside`.
  std::filesystem::path seen(const std::filesystem::path& outside,
                             const std::filesystem::path& inside) const;

  // A box that shows this folder, read-only, as /box, and starts there.
  Box box_around(const std::filesystem::path& folder) const;

  // The command that runs argv in the box. argv[0] is as seen inside; only with a whole path is it
  // told apart whether the box or the program failed.
  Command command(const Box& box, const std::vector<std::string>& argv) const;

  // Lets boxed programs write to this folder, when it is mounted writable.
  void hand_over(const std::filesystem::path& folder) const;

 private:
  explicit Sandbox(Mode mode) : mode_(mode) {}
  bool works(const std::filesystem::path& build_dir, std::string& reason) const;

  Mode mode_;
  bool filters_ = true;  // system calls can be filtered here
  std::string reason_;
};

}  // namespace grader
