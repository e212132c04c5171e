"""Files: what is written replaces at once and whole; refusals are examined with the artefacts."""

from lth_keras.files import DISK, write_file


def test_write_file_replaces_text_and_bytes(tmp_path):
    write_file(tmp_path / 't', 'été\n')
    assert (tmp_path / 't').read_bytes() == 'été\n'.encode()
    write_file(tmp_path / 't', b'\0\r\n')
    assert (tmp_path / 't').read_bytes() == b'\0\r\n'
    assert [path.name for path in tmp_path.iterdir()] == ['t']


def test_a_directory_can_be_synced(tmp_path):
    DISK.sync(tmp_path)
