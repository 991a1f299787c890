<?php // PHP's share of draws.py.
while (fgets(STDIN) !== false) {
    echo json_encode(['random_bytes' => bin2hex(random_bytes(16)), 'random_int' => random_int(0, PHP_INT_MAX),
        'openssl_random_pseudo_bytes' => bin2hex(openssl_random_pseudo_bytes(16)), 'mt_rand' => mt_rand() . '-' . mt_rand()]), "\n";
}
