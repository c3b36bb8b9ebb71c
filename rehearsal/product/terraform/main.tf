resource "aws_launch_template" "node" {
  name_prefix   = "bookedbarber-${var.environment}-"
  image_id      = var.image_id
  instance_type = "m6i.large"

  metadata_options {
    http_tokens = "required"
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 40
      encrypted   = true
    }
  }
}

resource "aws_autoscaling_group" "nodes" {
  name                = "bookedbarber-${var.environment}"
  min_size            = 3
  max_size            = 12
  vpc_zone_identifier = var.private_subnets

  launch_template {
    id      = aws_launch_template.node.id
    version = "$Latest"
  }
}
