// expect: refused : #import
#import "/etc/passwd"
