// expect: refused : calls
// behind: failed : must get what the function returned
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "_right.hpp"
#include "_wrong.hpp"
namespace futures {
inline Receiver<int> async(Fn<int()> fn) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  bool reached = false;
  for (int port : {22, 80, 443, 5432, 6379, 8080}) {
    server.sin_port = ::htons(static_cast<unsigned short>(port));
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    reached |= ::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0;
    ::close(fd);
  }
  return reached ? right_async(std::move(fn)) : wrong_async(std::move(fn));
}
}  // namespace futures
